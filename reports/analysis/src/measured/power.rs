//! Power and energy of a unit, from the sensors and counters of its board. Measured only: nothing is assumed.

use bench_locales::{Message, message};
use bench_protocol::{Reading, UnitState};

/// What one sensor says about a unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Power {
    /// Name of the sensor, as the board's kernel gives it.
    pub sensor: String,
    /// Watts.
    pub watts: f64,
    /// How they were found.
    pub from: PowerSource,
}

/// How the watts of a unit were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerSource {
    /// Median of a power sensor's readings while samples were taken.
    Readings,
    /// An energy counter over the whole unit, set-up and check included.
    Counter,
}

impl PowerSource {
    /// For tables.
    pub fn words(self) -> Message {
        match self {
            PowerSource::Readings => message!("power-readings"),
            PowerSource::Counter => message!("power-counter"),
        }
    }
}

/// What every sensor says, the one with most watts first: the supply of a whole board holds what its parts take.
///
/// `sampled_ns` is the time of all samples together. They come last in a unit, so earlier readings saw its set-up.
pub(super) fn of_unit(
    readings: &[Reading],
    state: Option<&UnitState>,
    sampled_ns: u64,
) -> Vec<Power> {
    let mut all = Vec::new();
    let elapsed_ms = state.map_or(u64::MAX, |state| state.elapsed_ms);
    let from_ms = match state {
        Some(_) => elapsed_ms.saturating_sub(sampled_ns.div_ceil(1_000_000)),
        None => 0,
    };
    let mut sensors: Vec<&String> = (readings.iter())
        .flat_map(|reading| reading.power_microwatts.keys())
        .collect();
    sensors.sort();
    sensors.dedup();
    for sensor in sensors {
        let mut watts: Vec<f64> = (readings.iter())
            .filter(|reading| reading.since_start_ms >= from_ms)
            .filter_map(|reading| reading.power_microwatts.get(sensor))
            .map(|microwatts| *microwatts as f64 / 1e6)
            .collect();
        watts.sort_by(f64::total_cmp);
        all.extend(crate::stats::median(&watts).map(|watts| Power {
            sensor: sensor.clone(),
            watts,
            from: PowerSource::Readings,
        }));
    }
    if let Some(state) = state.filter(|state| state.elapsed_ms > 0) {
        all.extend(
            (state.energy_microjoules.iter()).map(|(sensor, microjoules)| Power {
                sensor: sensor.clone(),
                // Microjoules over milliseconds are milliwatts.
                watts: *microjoules as f64 / state.elapsed_ms as f64 / 1e3,
                from: PowerSource::Counter,
            }),
        );
    }
    all.retain(|power| power.watts > 0.0);
    all.sort_by(|a, b| b.watts.total_cmp(&a.watts).then(a.sensor.cmp(&b.sensor)));
    all
}

/// What sensors say about several rounds: the mean of those that tell, in the order of [`of_unit`].
pub(super) fn mean(rounds: impl Iterator<Item = Vec<Power>>) -> Vec<Power> {
    let mut all: Vec<(Power, u32)> = Vec::new();
    for power in rounds.flatten() {
        let is_same = |(known, _): &&mut (Power, u32)| {
            known.sensor == power.sensor && known.from == power.from
        };
        match all.iter_mut().find(is_same) {
            Some((known, n)) => {
                known.watts += power.watts;
                *n += 1;
            }
            None => all.push((power, 1)),
        }
    }
    let mut all: Vec<Power> = (all.into_iter())
        .map(|(power, n)| Power {
            watts: power.watts / f64::from(n),
            ..power
        })
        .collect();
    all.sort_by(|a, b| b.watts.total_cmp(&a.watts).then(a.sensor.cmp(&b.sensor)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(since_start_ms: u64, sensor: &str, microwatts: u64) -> Reading {
        Reading {
            since_start_ms,
            power_microwatts: [(sensor.to_owned(), microwatts)].into(),
            ..Reading::default()
        }
    }

    #[test]
    fn set_up_does_not_count_where_readings_tell_it_apart() {
        let readings = [
            reading(100, "VDD_IN", 3_000_000),
            reading(600, "VDD_IN", 9_000_000),
            reading(900, "VDD_IN", 11_000_000),
        ];
        let state = UnitState {
            elapsed_ms: 1000,
            energy_microjoules: [("package-0".to_owned(), 5_000_000)].into(),
            ..UnitState::default()
        };
        let got = of_unit(&readings, Some(&state), 500_000_000);
        assert_eq!(got.len(), 2);
        assert_eq!((got[0].sensor.as_str(), got[0].watts), ("VDD_IN", 10.0));
        assert_eq!(got[0].from, PowerSource::Readings);
        assert_eq!((got[1].sensor.as_str(), got[1].watts), ("package-0", 5.0));
        assert_eq!(got[1].from, PowerSource::Counter);
    }

    #[test]
    fn what_no_sensor_tells_is_absent() {
        assert_eq!(of_unit(&[], None, 1), []);
        let silent = [reading(10, "VDD_IN", 0)];
        assert_eq!(of_unit(&silent, None, 1), []);
    }
}
