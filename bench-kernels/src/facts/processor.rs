//! Names of processors, and whether they are those of a virtual machine.

use std::collections::BTreeSet;
use std::path::Path;

use super::read_text;

/// A maker of Arm cores: the implementer of the main ID register, its name, and its parts.
type Implementer = (u32, &'static str, &'static [(u32, &'static str)]);

/// Makers and their parts.
///
/// Source: Arm's technical reference manuals (MIDR_EL1), `arch/arm64/include/asm/cputype.h` of Linux, and
/// `sys-utils/lscpu-arm.c` of util-linux.
const IMPLEMENTERS: [Implementer; 16] = [
    (
        0x41,
        "Arm",
        &[
            (0xb76, "ARM1176"),
            (0xc05, "Cortex-A5"),
            (0xc07, "Cortex-A7"),
            (0xc08, "Cortex-A8"),
            (0xc09, "Cortex-A9"),
            (0xc0d, "Cortex-A12"),
            (0xc0e, "Cortex-A17"),
            (0xc0f, "Cortex-A15"),
            (0xd01, "Cortex-A32"),
            (0xd02, "Cortex-A34"),
            (0xd03, "Cortex-A53"),
            (0xd04, "Cortex-A35"),
            (0xd05, "Cortex-A55"),
            (0xd06, "Cortex-A65"),
            (0xd07, "Cortex-A57"),
            (0xd08, "Cortex-A72"),
            (0xd09, "Cortex-A73"),
            (0xd0a, "Cortex-A75"),
            (0xd0b, "Cortex-A76"),
            (0xd0c, "Neoverse-N1"),
            (0xd0d, "Cortex-A77"),
            (0xd0e, "Cortex-A76AE"),
            (0xd40, "Neoverse-V1"),
            (0xd41, "Cortex-A78"),
            (0xd42, "Cortex-A78AE"),
            (0xd43, "Cortex-A65AE"),
            (0xd44, "Cortex-X1"),
            (0xd46, "Cortex-A510"),
            (0xd47, "Cortex-A710"),
            (0xd48, "Cortex-X2"),
            (0xd49, "Neoverse-N2"),
            (0xd4a, "Neoverse-E1"),
            (0xd4b, "Cortex-A78C"),
            (0xd4c, "Cortex-X1C"),
            (0xd4d, "Cortex-A715"),
            (0xd4e, "Cortex-X3"),
            (0xd4f, "Neoverse-V2"),
            (0xd80, "Cortex-A520"),
            (0xd81, "Cortex-A720"),
            (0xd82, "Cortex-X4"),
            (0xd83, "Neoverse-V3AE"),
            (0xd84, "Neoverse-V3"),
            (0xd85, "Cortex-X925"),
            (0xd87, "Cortex-A725"),
            (0xd88, "Cortex-A520AE"),
            (0xd89, "Cortex-A720AE"),
            (0xd8a, "C1-Nano"),
            (0xd8b, "C1-Pro"),
            (0xd8c, "C1-Ultra"),
            (0xd8e, "Neoverse-N3"),
            (0xd8f, "Cortex-A320"),
            (0xd90, "C1-Premium"),
        ],
    ),
    (
        0x42,
        "Broadcom",
        &[
            (0x00f, "Brahma-B15"),
            (0x100, "Brahma-B53"),
            (0x516, "ThunderX2"),
        ],
    ),
    (
        0x43,
        "Cavium",
        &[
            (0x0a0, "ThunderX"),
            (0x0a1, "ThunderX-88XX"),
            (0x0a2, "ThunderX-81XX"),
            (0x0a3, "ThunderX-83XX"),
            (0x0af, "ThunderX2"),
            (0x0b0, "OcteonTX2"),
            (0x0b1, "OcteonTX2-98XX"),
            (0x0b2, "OcteonTX2-96XX"),
            (0x0b3, "OcteonTX2-95XX"),
            (0x0b8, "ThunderX3"),
        ],
    ),
    (0x46, "Fujitsu", &[(0x001, "A64FX"), (0x003, "MONAKA")]),
    (
        0x48,
        "HiSilicon",
        &[
            (0xd01, "TSV110"),
            (0xd02, "TSV200"),
            (0xd40, "Cortex-A76 (HiSilicon)"),
            (0xd06, "HIP12"),
        ],
    ),
    (
        0x4e,
        "NVIDIA",
        &[
            (0x000, "Denver"),
            (0x003, "Denver 2"),
            (0x004, "Carmel"),
            (0x010, "Olympus"),
        ],
    ),
    (0x50, "Applied Micro", &[(0x000, "X-Gene")]),
    (
        0x51,
        "Qualcomm",
        &[
            (0x001, "Oryon"),
            (0x002, "Oryon 2"),
            (0x06f, "Krait"),
            (0x201, "Kryo"),
            (0x205, "Kryo"),
            (0x211, "Kryo"),
            (0x800, "Kryo 2XX Gold"),
            (0x801, "Kryo 2XX Silver"),
            (0x802, "Kryo 3XX Gold"),
            (0x803, "Kryo 3XX Silver"),
            (0x804, "Kryo 4XX Gold"),
            (0x805, "Kryo 4XX Silver"),
            (0xc00, "Falkor"),
            (0xc01, "Saphira"),
        ],
    ),
    (
        0x53,
        "Samsung",
        &[
            (0x001, "Exynos-M1"),
            (0x002, "Exynos-M3"),
            (0x003, "Exynos-M4"),
            (0x004, "Exynos-M5"),
        ],
    ),
    (
        0x56,
        "Marvell",
        &[(0x131, "Feroceon"), (0x581, "PJ4"), (0x584, "PJ4B")],
    ),
    (
        0x61,
        "Apple",
        &[
            (0x020, "Icestorm (A14)"),
            (0x021, "Firestorm (A14)"),
            (0x022, "Icestorm (M1)"),
            (0x023, "Firestorm (M1)"),
            (0x024, "Icestorm (M1 Pro)"),
            (0x025, "Firestorm (M1 Pro)"),
            (0x028, "Icestorm (M1 Max)"),
            (0x029, "Firestorm (M1 Max)"),
            (0x032, "Blizzard (M2)"),
            (0x033, "Avalanche (M2)"),
            (0x034, "Blizzard (M2 Pro)"),
            (0x035, "Avalanche (M2 Pro)"),
            (0x038, "Blizzard (M2 Max)"),
            (0x039, "Avalanche (M2 Max)"),
        ],
    ),
    (0x66, "Faraday", &[]),
    (0x69, "Intel", &[]),
    (0x6d, "Microsoft", &[(0xd49, "Azure Cobalt 100")]),
    (
        0x70,
        "Phytium",
        &[
            (0x303, "FTC310"),
            (0x660, "FTC660"),
            (0x661, "FTC661"),
            (0x662, "FTC662"),
            (0x663, "FTC663"),
            (0x664, "FTC664"),
            (0x862, "FTC862"),
        ],
    ),
    (
        0xc0,
        "Ampere",
        &[
            (0xac3, "Ampere-1"),
            (0xac4, "Ampere-1A"),
            (0xac5, "Ampere-1B"),
        ],
    ),
];

/// Words with which firmware begins its names where the machine is a virtual one.
///
/// Source: `src/basic/virt.c` of systemd, `detect_vm_dmi_vendor`.
const VIRTUAL: [&str; 17] = [
    "KVM",
    "OpenStack",
    "KubeVirt",
    "Amazon EC2",
    "QEMU",
    "VMware",
    "VMW",
    "innotek GmbH",
    "VirtualBox",
    "Xen",
    "Bochs",
    "Parallels",
    "BHYVE",
    "Hyper-V",
    "Virtual Machine",
    "Apple Virtualization",
    "Google Compute Engine",
];

/// Names of the cores, each once. On Arm the implementer and part numbers tell; what some kernels print as `model name`
/// there is the same for all.
pub(super) fn model(root: &Path) -> Option<String> {
    let text = read_text(root.join("proc/cpuinfo")).unwrap_or_default();
    let mut cores = id_registers(root);
    if cores.is_empty() {
        cores = implementers_and_parts(&text);
    }
    let names: BTreeSet<String> = match cores.is_empty() {
        false => cores
            .into_iter()
            .map(|(maker, part)| core_name(maker, part))
            .collect(),
        true => values(&text, "model name").map(str::to_owned).collect(),
    };
    let joined = names.into_iter().collect::<Vec<_>>().join(", ");
    (!joined.is_empty()).then_some(joined)
}

/// What stands behind a key, for each CPU.
fn values<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs
        .filter(move |(name, _)| name.trim() == key)
        .map(|(_, value)| value.trim())
}

/// Implementers and parts by the main ID registers that the kernel shows.
fn id_registers(root: &Path) -> BTreeSet<(u32, u32)> {
    let cpus = std::fs::read_dir(root.join("sys/devices/system/cpu"));
    let registers = cpus.into_iter().flatten().flatten().filter_map(|cpu| {
        let text = read_text(cpu.path().join("regs/identification/midr_el1"))?;
        u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()
    });
    registers
        .map(|midr| ((midr >> 24 & 0xff) as u32, (midr >> 4 & 0xfff) as u32))
        .collect()
}

/// The same by `/proc/cpuinfo`, where each CPU's implementer stands before its part.
fn implementers_and_parts(text: &str) -> BTreeSet<(u32, u32)> {
    let number = |text: &str| u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok();
    let mut cores = BTreeSet::new();
    // Kernels that name no implementer run on Arm's own cores.
    let mut maker = 0x41;
    for (key, value) in text.lines().filter_map(|line| line.split_once(':')) {
        match key.trim() {
            "CPU implementer" => maker = number(value).unwrap_or(maker),
            "CPU part" => cores.extend(number(value).map(|part| (maker, part))),
            _ => {}
        }
    }
    cores
}

fn core_name(maker: u32, part: u32) -> String {
    let Some((_, name, parts)) = IMPLEMENTERS.iter().find(|(known, ..)| *known == maker) else {
        return format!("implementer {maker:#04x} part {part:#05x}");
    };
    match parts.iter().find(|(known, _)| *known == part) {
        Some((_, core)) => (*core).to_owned(),
        None => format!("{name} part {part:#05x}"),
    }
}

/// What the machine is virtual by: a flag of the processor (x86), the hypervisor's file, its node in the device tree,
/// or the firmware's names.
pub(super) fn hypervisor(root: &Path) -> Option<String> {
    let cpuinfo = read_text(root.join("proc/cpuinfo")).unwrap_or_default();
    let is_flagged = values(&cpuinfo, "flags").any(|flags| {
        let mut flags = flags.split_whitespace();
        flags.any(|flag| flag == "hypervisor")
    });
    let dmi = |name: &str| read_text(root.join("sys/class/dmi/id").join(name));
    let names = ["sys_vendor", "product_name", "board_vendor", "bios_vendor"].map(dmi);
    let is_metal = names[1]
        .as_deref()
        .is_some_and(|product| product.ends_with(".metal"));
    let is_virtual = |name: &&String| VIRTUAL.iter().any(|word| name.starts_with(word));
    let by_dmi = names
        .iter()
        .flatten()
        .find(is_virtual)
        .filter(|_| !is_metal);
    let tree = root.join("proc/device-tree");
    let by_tree = read_text(tree.join("hypervisor/compatible"))
        .or_else(|| read_text(tree.join("compatible")).filter(|it| it.contains("dummy-virt")));
    let by_tree = by_tree.map(|names| names.split('\0').next().unwrap_or_default().to_owned());
    let named = read_text(root.join("sys/hypervisor/type")).or(by_tree);
    match (named, by_dmi, is_flagged) {
        (Some(named), ..) => Some(named),
        (None, Some(by_dmi), false) => Some(by_dmi.clone()),
        (None, _, true) => Some(names[0].clone().unwrap_or_else(|| "unnamed".to_owned())),
        (None, None, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::root;
    use super::*;

    fn check_model(files: &[(&str, &str)], expect: Option<&str>) {
        assert_eq!(model(root(files).path()).as_deref(), expect);
    }

    fn cpuinfo(text: &str, expect: &str) {
        check_model(&[("proc/cpuinfo", text)], Some(expect));
    }

    #[test]
    fn arm_cores_are_named_by_implementer_and_part() {
        let jetson = "processor\t: 0\nmodel name\t: ARMv8 Processor rev 1 (v8l)\nCPU implementer\t: 0x41\nCPU part\t: 0xd42\n";
        cpuinfo(jetson, "Cortex-A78AE");
        cpuinfo(
            "CPU implementer\t: 0x41\nCPU part\t: 0xd07\n\nCPU implementer\t: 0x4e\nCPU part\t: 0x003\n",
            "Cortex-A57, Denver 2",
        );
        cpuinfo(
            "CPU implementer\t: 0x61\nCPU part\t: 0x022\n\nCPU implementer\t: 0x61\nCPU part\t: 0x023\n",
            "Firestorm (M1), Icestorm (M1)",
        );
        cpuinfo(
            "CPU implementer\t: 0x41\nCPU part\t: 0xd80\n\nCPU implementer\t: 0x41\nCPU part\t: 0xd81\n",
            "Cortex-A520, Cortex-A720",
        );
        cpuinfo(
            "CPU implementer\t: 0x61\nCPU part\t: 0x999\n",
            "Apple part 0x999",
        );
        cpuinfo(
            "CPU implementer\t: 0x99\nCPU part\t: 0x001\n",
            "implementer 0x99 part 0x001",
        );
        check_model(
            &[
                ("proc/cpuinfo", "model name : ARMv8 Processor rev 4 (v8l)\n"),
                (
                    "sys/devices/system/cpu/cpu0/regs/identification/midr_el1",
                    "0x00000000412fd050\n",
                ),
                (
                    "sys/devices/system/cpu/cpu4/regs/identification/midr_el1",
                    "0x00000000414fd0b0\n",
                ),
            ],
            Some("Cortex-A55, Cortex-A76"),
        );
        cpuinfo(
            "model name\t: Intel(R) N100\nflags : fpu\n",
            "Intel(R) N100",
        );
        check_model(&[], None);
    }

    #[test]
    fn virtual_machines_are_known_without_a_flag() {
        let check = |files: &[(&str, &str)], expect: Option<&str>| {
            assert_eq!(
                hypervisor(root(files).path()).as_deref(),
                expect,
                "{files:?}"
            );
        };
        let vendor = "sys/class/dmi/id/sys_vendor";
        let product = "sys/class/dmi/id/product_name";
        check(
            &[
                ("proc/cpuinfo", "Features : fp asimd\n"),
                (vendor, "QEMU\n"),
            ],
            Some("QEMU"),
        );
        check(
            &[(vendor, "Amazon EC2\n"), (product, "m7g.large\n")],
            Some("Amazon EC2"),
        );
        check(&[(vendor, "Amazon EC2\n"), (product, "m7g.metal\n")], None);
        check(
            &[
                (vendor, "Apple Inc.\n"),
                (product, "Apple Virtualization Generic Platform\n"),
            ],
            Some("Apple Virtualization Generic Platform"),
        );
        check(
            &[("proc/device-tree/hypervisor/compatible", "linux,kvm\0")],
            Some("linux,kvm"),
        );
        check(
            &[("proc/device-tree/compatible", "linux,dummy-virt\0")],
            Some("linux,dummy-virt"),
        );
        check(
            &[(
                "proc/device-tree/compatible",
                "raspberrypi,5-model-b\0brcm,bcm2712\0",
            )],
            None,
        );
        check(&[(vendor, "Radxa\n")], None);
        check(
            &[
                ("proc/cpuinfo", "flags : fpu hypervisor lm\n"),
                (vendor, "Some Cloud\n"),
            ],
            Some("Some Cloud"),
        );
        check(
            &[("proc/cpuinfo", "flags : fpu hypervisor\n")],
            Some("unnamed"),
        );
        check(&[], None);
    }
}
