#!/bin/busybox sh
# First process of a lab board: brings up the network and an SSH server, then waits. Nothing is kept: every boot is fresh.
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
/bin/busybox mount -t devtmpfs devtmpfs /dev
exec </dev/console >/dev/console 2>&1
/bin/busybox --install -s
mkdir -p /dev/pts /dev/shm
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
# The package has no table of dependencies: modules are inserted until all of them are in, in whatever order that is.
for round in 1 2 3 4 5; do
  for module in /lib/modules/*.ko; do
    [ -e "$module" ] && insmod "$module" 2>/dev/null && rm "$module"
  done
done
tries=0
while [ ! -e /sys/class/net/eth0 ] && [ "$tries" -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
# Addresses of qemu's user network.
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2
hostname "$(cat /etc/hostname)"
chown -R 1000:1000 /home/bench
/usr/sbin/sshd -E /var/log/sshd.log && echo "BOARD-READY after $(cut -d' ' -f1 /proc/uptime) s"
while :; do sleep 1000; done
