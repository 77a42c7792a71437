#include "cpu/monitor.hpp"

namespace hyperstep::cpu {

StoreMonitor::StoreMonitor(Cpu& cpu) : cpu_{cpu} {
    cpu_.memory.add_watcher(*this);
}

StoreMonitor::~StoreMonitor() {
    cpu_.memory.remove_watcher(*this);
}

void StoreMonitor::page_changes(Hpa page, std::uint8_t watches) {
    MonitorState& monitor = cpu_.state.monitor;
    if ((watches & static_cast<std::uint8_t>(mmu::Watch::monitor)) == 0) return;
    if (!monitor.armed || monitor.address.page_start() != page) return;
    monitor.armed = false;
    cpu_.attention = true;
}

void arm_monitor(Cpu& cpu, Hpa address) {
    cpu.state.monitor = {.armed = true, .address = address};
    cpu.memory.watch(address.page_start(), mmu::Watch::monitor);
}

}  // namespace hyperstep::cpu
