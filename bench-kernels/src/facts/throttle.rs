//! What a Raspberry Pi's firmware says of throttling, wherever the kernel shows it.

use std::fs;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use super::read_text;
use crate::state::directories;

/// The call of `/dev/vcio` that passes a list of properties to the firmware: `_IOWR(100, 0, char *)`.
///
/// Source: `drivers/char/broadcom/vcio.c` of the Raspberry Pi kernel.
const PROPERTY_CALL: u64 = 0xc008_6400;

/// The property that holds the flags.
///
/// Source: `include/soc/bcm2835/raspberrypi-firmware.h` of Linux, `RPI_FIRMWARE_GET_THROTTLED`.
const GET_THROTTLED: u32 = 0x0003_0046;

/// The flag of a supply voltage that is too low now.
const UNDER_VOLTAGE_NOW: u32 = 1;

/// Throttle flags as `vcgencmd get_throttled` prints them; `None` where nothing tells.
///
/// Kernels of the Raspberry Pi have a file, whose folder has the address of the chip's bus on a Pi 5; others only the
/// mailbox, or a monitor of the supply that says nothing of clocks and heat: its silence is not an answer.
pub(super) fn flags(root: &Path) -> Option<u32> {
    let hexadecimal = |path: &PathBuf| {
        let text = read_text(path)?;
        u32::from_str_radix(text.trim_start_matches("0x"), 16).ok()
    };
    (files(root).iter())
        .find_map(hexadecimal)
        .or_else(|| by_mailbox(&root.join("dev/vcio")))
        .or_else(|| by_monitor(&root.join("sys/class/hwmon")))
}

/// `get_throttled` of every firmware device: `soc/soc:firmware` on a Pi 4, `soc@107c000000/soc@107c000000:firmware` on a
/// Pi 5.
fn files(root: &Path) -> Vec<PathBuf> {
    let platform = root.join("sys/devices/platform");
    let mut folders = directories(&platform, "soc");
    folders.push(platform);
    let is_firmware = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(":firmware") || name == "firmware"
    };
    (folders.iter())
        .flat_map(|folder| directories(folder, ""))
        .filter(is_firmware)
        .map(|folder| folder.join("get_throttled"))
        .collect()
}

fn by_monitor(class: &Path) -> Option<u32> {
    let mut monitors = directories(class, "hwmon").into_iter();
    let monitor = monitors.find(|it| read_text(it.join("name")).as_deref() == Some("rpi_volt"))?;
    let alarm = read_text(monitor.join("in0_lcrit_alarm"))?;
    (alarm == "1").then_some(UNDER_VOLTAGE_NOW)
}

fn by_mailbox(device: &Path) -> Option<u32> {
    if !fs::metadata(device).ok()?.file_type().is_char_device() {
        return None;
    }
    let file = fs::File::open(device).ok()?;
    // Bytes of all, request, tag, bytes of its value, request, value, end.
    let mut message: [u32; 7] = [28, 0, GET_THROTTLED, 4, 0, 0, 0];
    // SAFETY: the descriptor is open, and the call reads and writes the 28 bytes that the first word says, which are
    // those of `message`.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), PROPERTY_CALL as _, message.as_mut_ptr()) };
    // The firmware marks the message and the tag as answered.
    let is_answered = message[1] == 0x8000_0000 && message[4] & 0x8000_0000 != 0;
    (result == 0 && is_answered).then_some(message[5])
}

#[cfg(test)]
mod tests {
    use super::super::tests::root;
    use super::*;

    #[test]
    fn finds_the_flags_of_every_raspberry_pi() {
        let check = |files: &[(&str, &str)], expect: Option<u32>| {
            assert_eq!(flags(root(files).path()), expect, "{files:?}");
        };
        let platform = "sys/devices/platform";
        for folder in [
            "soc/soc:firmware",
            "soc@107c000000/soc@107c000000:firmware",
            "soc@0/soc@0:firmware",
            "soc/firmware",
        ] {
            let path = format!("{platform}/{folder}/get_throttled");
            check(&[(&path, "50005\n")], Some(0x5_0005));
            check(&[(&path, "0\n")], Some(0));
        }
        let monitor = "sys/class/hwmon/hwmon1/name";
        let alarm = "sys/class/hwmon/hwmon1/in0_lcrit_alarm";
        check(&[(monitor, "rpi_volt\n"), (alarm, "1\n")], Some(1));
        // It does not see heat.
        check(&[(monitor, "rpi_volt\n"), (alarm, "0\n")], None);
        check(&[(monitor, "cpu_thermal\n"), (alarm, "1\n")], None);
        // A file is not the mailbox.
        check(&[("dev/vcio", "")], None);
        check(&[], None);
    }
}
