#include "machine/device_windows.hpp"

#include "base/trace_words.hpp"

namespace hyperstep::machine {
namespace {

using trace_word::AccessKind;

std::uint64_t all_ones(unsigned bytes) {
    return bytes >= 8 ? ~0ULL : (1ULL << (8 * bytes)) - 1;
}

/// An access may change time, lines and requests: the block of the processor that made it ends.
void finish_access(const BatonHolder& baton,
                   const Timeline& time,
                   const Trace& trace,
                   AccessKind kind,
                   std::uint64_t address,
                   unsigned bytes,
                   std::uint64_t value) {
    if (baton.processor == nullptr) return;
    baton.processor->leave_block();
    trace.report([&] {
        const std::uint32_t vcpu = baton.processor->cpu().number;
        return trace_word::access_event(TraceKind::mmio, time.retired, vcpu, kind, address, bytes, value);
    });
}

}  // namespace

std::uint64_t DeviceWindow::read(std::uint64_t offset, unsigned bytes) {
    const std::uint64_t value = device_.read(offset, bytes);
    finish_access(baton_, time_, trace_, AccessKind::read, first_ + offset, bytes, value);
    return value;
}

void DeviceWindow::write(std::uint64_t offset, unsigned bytes, std::uint64_t value) {
    device_.write(offset, bytes, value);
    finish_access(baton_, time_, trace_, AccessKind::write, first_ + offset, bytes, value);
}

devices::LocalApic* ApicWindow::answering() const {
    if (baton_.processor == nullptr) return nullptr;
    devices::LocalApic& apic = baton_.processor->local_apic();
    const bool here = apic.mode() == devices::ApicMode::xapic && apic.page_address() == first_;
    return here ? &apic : nullptr;
}

std::uint64_t ApicWindow::read(std::uint64_t offset, unsigned bytes) {
    devices::LocalApic* const apic = answering();
    if (apic == nullptr) return all_ones(bytes);
    const std::uint64_t value = apic->read(offset, bytes);
    finish_access(baton_, time_, trace_, AccessKind::read, first_ + offset, bytes, value);
    return value;
}

void ApicWindow::write(std::uint64_t offset, unsigned bytes, std::uint64_t value) {
    devices::LocalApic* const apic = answering();
    if (apic == nullptr) return;
    apic->write(offset, bytes, value);
    finish_access(baton_, time_, trace_, AccessKind::write, first_ + offset, bytes, value);
}

}  // namespace hyperstep::machine
