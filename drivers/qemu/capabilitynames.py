"""
What libvirt calls abilities of QEMU, which C{<qemu:capabilities>} may add or take away.
"""

from __future__ import annotations

__all__ = ["CAPABILITY_NAMES"]

_NAMES = """
0.10 VGA VGA.vgamem_mb aarch64-off acpi-index active-commit add-fd aes-key-wrap aio.io_uring am53c974
arm-max-cpu audiodev balloon balloon-event bitmap-merge blk-sg-io block-commit block-export-add block-job-async
block-job-sync block-write-threshold blockdev blockdev-backup blockdev-del blockdev-file-dynamic-auto-read-only
blockdev-hostdev-scsi blockdev-reopen blockdev-snapshot-sync blockdev-snapshot.allow-write-only-overlay
blockdev.nbd.tls-hostname blockio bochs-display boot-index boot-menu boot-strict bridge cache-directsync
cache-unsafe calc-dirty-rate canonical-cpu-features ccid-emulated ccid-passthru change-backing-file chardev
chardev-fd-pass chardev-file-append chardev-logfile chardev-reconnect chardev-spicevmc chardev.json
chardev.qemu-vdagent cirrus-vga compat-deprecated confidential-guest-support cpu-cache cpu-host cpu-max
cpu-unavailable-features cpu.kvm-no-adjvtime cpu.migratable dbus-vmstate dc390 dea-key-wrap debug-threads device
device-del-event device-qxl-vga device-spicevmc device-tray-moved-event device-video-primary device.json
device.json+hotplug dirtyrate-param.mode disable-s3 disable-s4 disk-share-rw disk-write-cache display
display-dbus dmi-to-pci-bridge domid drive drive-aio drive-boot drive-cache-v2 drive-copy-on-read
drive-detect-zeroes drive-discard drive-format drive-iotune drive-iotune-group drive-iotune-max
drive-iotune-max-length drive-mirror drive-nvme drive-readonly drive-serial dtb dump-completed dump-guest-core
dump-guest-memory e1000 egl-headless egl-headless.rendernode enable-fips enable-kvm fsdev fsdev-readonly
fsdev-writeout fsdev.createmode fsdev.multidevs fw_cfg gic-version gluster.debug_level gpex-pcihost hda-duplex
hda-micro hda-output host-pci-multidomain hvf i440fx-pci-hole64-size i8042 ich9-ahci ich9-disable-s3
ich9-disable-s4 ich9-intel-hda ich9-usb-ehci1 ide-cd ide-drive.wwn incoming-defer incremental-backup input-linux
intel-iommu intel-iommu.aw-bits intel-iommu.caching-mode intel-iommu.device-iotlb intel-iommu.eim
intel-iommu.intremap ioh3420 iothread iothread.poll-max-ns iothread.thread-pool-max ipv6-migration isa-serial
iscsi.password-secret ivshmem ivshmem-doorbell ivshmem-plain kernel-irqchip kernel-irqchip.split kvm
kvm-pit-lost-tick-policy loadparm lsi machine-hpet machine-iommu machine-opt machine-usb-opt machine-vmport-opt
machine.pseries.cap-ccf-assist machine.pseries.cap-cfpc machine.pseries.cap-hpt-max-page-size
machine.pseries.cap-htm machine.pseries.cap-ibs machine.pseries.cap-nested-hv machine.pseries.cap-sbbc
machine.pseries.max-cpu-compat machine.pseries.resize-hpt machine.virt.iommu mch mch.extended-tseg-mbytes
megasas mem-merge mem-path memory-backend-file memory-backend-file.align memory-backend-file.discard-data
memory-backend-file.pmem memory-backend-file.prealloc-threads memory-backend-file.reserve
memory-backend-file.x-use-canonical-path-for-ramblock-id memory-backend-memfd memory-backend-memfd.hugetlb
memory-backend-ram migrate-kvm-stdio migrate-qemu-exec migrate-qemu-fd migrate-qemu-tcp migrate-qemu-unix
migrate-rdma migration-event migration-file-drop-cache migration-param.bandwidth
migration-param.block-bitmap-mapping migration-param.downtime migration-param.xbzrle-cache-size
migration.blocked-reasons mlock monitor-json mptsas1068 msg-timestamp name name-guest name-process nbd-bitmap
nbd-server nbd-tls ncr53c90 nec-usb-xhci nec-usb-xhci-ports nesting netdev netdev.json netdev.stream
netdev.vhost-vdpa no-acpi no-hpet no-kvm-pit no-reboot no-shutdown no-user-config nodefconfig numa numa.dist
numa.hmat nvdimm nvdimm.unarmed nvram object.qapified overcommit pc-dimm pci-bootindex pci-bridge pci-configfd
pci-device pci-multibus pci-multifunction pci-ohci pci-serial pcie-pci-bridge pcie-root-port
pcie-root-port.hotplug piix3-usb-uhci piix4-usb-uhci piix4.acpi-root-pci-hotplug pl011 pr-manager-helper pvpanic
pvscsi pxb pxb-pcie q35-pci-hole64-size qcow2-luks qemu-xhci qom-list-properties query-cpu-definitions
query-cpu-model-baseline query-cpu-model-comparison query-cpu-model-expansion
query-cpu-model-expansion.migratable query-cpus-fast query-current-machine query-dirty-rate
query-display-options query-hotpluggable-cpus query-named-block-nodes query-named-block-nodes.flat
query-qmp-schema query-stats query-stats-schemas qxl qxl-vga.max_outputs qxl-vga.vgamem_mb
qxl-vga.vram64_size_mb qxl.max_outputs qxl.vgamem_mb qxl.vram64_size_mb ramfb rbd-encryption reboot-timeout
rng-builtin rng-egd rng-random rombar rotation-rate rtc rtc-reset-reinjection rtc-td-hack rtl8139 s390-pv-guest
s390-sclp savevm-monitor-nodes sclplmconsole screendump_device screenshot-format-png scsi-block scsi-cd
scsi-disk.channel scsi-disk.device_id scsi-disk.wwn scsi-generic scsi-generic.bootindex sdl sdl-gl
seamless-migration seccomp-blacklist seccomp-sandbox secret set-action sev-guest sev-guest-kernel-hashes
sev-inject-launch-secret sga sgx-epc smbios-type smm smp-dies smp-topology spapr-pci-host-bridge
spapr-pci-host-bridge.numa_node spapr-tpm-proxy spapr-vty spice spice-file-xfer-disable spice-gl
spice-rendernode spice-unix spiceport splash-timeout storage.werror system_wakeup tcg tdf thread-context
tls-creds-x509 tpm-crb tpm-emulator tpm-passthrough tpm-spapr tpm-tis transaction usb-audio usb-ehci
usb-host.bootindex usb-host.guest-resets-all usb-host.hostdevice usb-hub usb-kbd usb-net usb-redir
usb-redir.bootindex usb-redir.filter usb-serial usb-storage usb-storage.removable usb-storage.werror uuid
vfio-ap vfio-ccw vfio-pci vfio-pci.bootindex vfio-pci.display vga vga-none vga-qxl vhost-net vhost-scsi
vhost-user-blk vhost-user-fs vhost-user-fs.bootindex vhost-user-gpu vhost-user-multiqueue vhost-user-vga
vhost-vsock virtio-balloon-pci.deflate-on-oom virtio-balloon.free-page-reporting virtio-blk-pci.event_idx
virtio-blk-pci.ioeventfd virtio-blk-pci.scsi virtio-blk-pci.scsi.default.disabled virtio-blk.num-queues
virtio-blk.queue-size virtio-ccw virtio-gpu virtio-gpu-ccw virtio-gpu-gl-pci virtio-gpu.max_outputs
virtio-gpu.virgl virtio-input-host virtio-iommu-pci virtio-iommu.boot-bypass virtio-keyboard virtio-keyboard-ccw
virtio-mem-pci virtio-mem-pci.prealloc virtio-mmio virtio-mouse virtio-mouse-ccw virtio-net
virtio-net-pci.event_idx virtio-net.failover virtio-net.host_mtu virtio-net.rss virtio-net.rx_queue_size
virtio-net.tx_queue_size virtio-pci-disable-legacy virtio-pci-non-transitional virtio-pmem-pci virtio-rng
virtio-s390 virtio-scsi-pci virtio-scsi-pci.iothread virtio-tablet virtio-tablet-ccw virtio-tx-alg virtio-vga
virtio-vga-gl virtio.ats virtio.iommu_platform virtio.packed virtual-css-bridge
virtual-css-bridge.cssid-unrestricted vmcoreinfo vmgenid vmware-svga vmware-svga.vgamem_mb vnc vnc-colon
vnc-multi-servers vnc-opts vnc-power-control vnc-share-policy vnc-websocket vnet-hdr vserport-change-event
vt82c686b-usb-uhci vxhs x3130-upstream x86-max-cpu xen-domid xio3130-downstream zpci
"""

CAPABILITY_NAMES = frozenset(_NAMES.split())
