//! The formula of theoretical memory bandwidth.

/// Highest rate at which a memory can be read or written, GB/s (10^9 bytes per second).
///
/// `bus clock x transfers per clock x bus width / 8`.
/// Units: clock in MHz, width of all channels together in bits.
/// Transfers per clock are 2 for DDR and LPDDR, 8 for GDDR6 against its command clock.
/// Source: the definition of peak memory bandwidth, as in the JEDEC standards of the DDR family.
pub fn bandwidth_gb_per_s(clock_mhz: f64, transfers_per_clock: f64, bus_bits: u32) -> f64 {
    mt_per_s_to_gb_per_s(clock_mhz * transfers_per_clock, bus_bits)
}

/// The same from the transfer rate that data sheets print: the one place where the formula stands.
///
/// `transfer rate x bus width / 8`.
/// Units: transfer rate in MT/s (10^6 transfers per second on each data line), width of all channels together in bits.
/// Source: the definition of peak memory bandwidth, as in the JEDEC standards of the DDR family.
pub fn mt_per_s_to_gb_per_s(mt_per_s: f64, bus_bits: u32) -> f64 {
    mt_per_s * f64::from(bus_bits) / 8.0 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(clock_mhz: f64, transfers_per_clock: f64, bus_bits: u32, expect: f64) {
        let got = bandwidth_gb_per_s(clock_mhz, transfers_per_clock, bus_bits);
        assert!((got - expect).abs() < 0.005, "{got} is not {expect}");
    }

    #[test]
    fn clock_and_transfer_rate_give_the_same() {
        for (clock_mhz, transfers_per_clock) in [(2112.0, 2.0), (2000.0, 8.0)] {
            let by_clock = bandwidth_gb_per_s(clock_mhz, transfers_per_clock, 64);
            let by_rate = mt_per_s_to_gb_per_s(clock_mhz * transfers_per_clock, 64);
            assert_eq!(by_clock, by_rate);
        }
        assert_eq!(mt_per_s_to_gb_per_s(4000.0, 64), 32.0);
    }

    #[test]
    fn known_boards_come_out() {
        check(2112.0, 2.0, 64, 33.79); // Rock 5B
        check(2400.0, 2.0, 64, 38.40); // Orange Pi 5 Max
        check(2133.0, 2.0, 128, 68.26); // Orin Nano, 15 W
        check(3199.0, 2.0, 128, 102.37); // Orin Nano, MAXN SUPER
        check(1600.0, 2.0, 32, 12.80); // Raspberry Pi 4
        check(2133.5, 2.0, 32, 17.07); // Raspberry Pi 5
        check(2000.0, 8.0, 96, 192.0); // RTX 4050 Laptop, GDDR6
    }
}
