#include "machine/processor.hpp"

#include "base/trace_words.hpp"
#include "cpu/execute.hpp"
#include "cpu/signals.hpp"

namespace hyperstep::machine {
namespace {

constexpr std::uint32_t apic_base_msr = 0x1b, tsc_deadline_msr = 0x6e0;

devices::IoWidth width_of(unsigned bytes) {
    return static_cast<devices::IoWidth>(bytes);
}

using trace_word::AccessKind;

}  // namespace

Processor::Processor(const Wiring& wiring, std::uint32_t number)
    : host_{wiring.host},
      cpu_{{.memory = wiring.memory,
            .time = wiring.time,
            .board = *this,
            .blocks = wiring.blocks,
            .model = wiring.model,
            .topology = wiring.topology},
           number} {}

void Processor::connect(devices::Chipset& chipset, devices::InterruptLine& coprocessor_error, Trace trace) {
    apic_ = &chipset.local_apic(cpu_.number);
    ports_ = &chipset.ports;
    coprocessor_error_ = &coprocessor_error;
    trace_ = trace;
    cpu_.trace = trace;
}

exec::Stop Processor::run() {
    // What ends MWAIT is not only a signal: the processor itself looks at the monitored memory.
    if (sleeps_ && cpu_.state.activity != cpu::Activity::mwait) return exec::Stop::waiting;
    cpu_.attention = true;
    const exec::Stop stop = cpu::run(cpu_);
    sleeps_ = stop == exec::Stop::waiting;
    return stop;
}

void Processor::awaken() {
    sleeps_ = false;
    cpu::look_at_boundary(cpu_);
}

// Whatever a device does to time, lines or memory counts from the next instruction on.

std::uint32_t Processor::read_port(std::uint16_t port, unsigned bytes) {
    const std::uint32_t value = ports_->read(port, width_of(bytes));
    leave_block();
    trace_.report([&] {
        return trace_word::access_event(
            TraceKind::io, cpu_.time.retired, cpu_.number, AccessKind::read, port, bytes, value);
    });
    return value;
}

void Processor::write_port(std::uint16_t port, unsigned bytes, std::uint32_t value) {
    trace_.report([&] {
        return trace_word::access_event(
            TraceKind::io, cpu_.time.retired, cpu_.number, AccessKind::write, port, bytes, value);
    });
    ports_->write(port, width_of(bytes), value);
    leave_block();
}

std::optional<std::uint64_t> Processor::read_apic_msr(std::uint32_t index) {
    leave_block();
    if (index == apic_base_msr) return apic_->base();
    if (index == tsc_deadline_msr) return apic_->tsc_deadline();
    const auto value = apic_->read_msr(index);
    return value ? std::optional{*value} : std::nullopt;
}

bool Processor::write_apic_msr(std::uint32_t index, std::uint64_t value) {
    leave_block();
    if (index == apic_base_msr) {
        if (!apic_->set_base(value)) return false;
        host_.apic_base_changed();
        return true;
    }
    if (index == tsc_deadline_msr) {
        apic_->set_tsc_deadline(value);
        return true;
    }
    return apic_->write_msr(index, value).has_value();
}

void Processor::set_time_stamp_offset(std::uint64_t offset) {
    apic_->set_tsc_offset(offset);
    leave_block();
}

void Processor::signal_ferr() {
    coprocessor_error_->set(devices::Level::asserted);
}

void Processor::nmi() {
    cpu::raise_nmi(cpu_);
    awaken();
}

void Processor::smi() {
    cpu::raise_smi(cpu_);
    awaken();
}

void Processor::init() {
    if (cpu_.state.activity == cpu::Activity::wait_for_sipi) return;
    cpu::raise_init(cpu_);
    // Model: the local APIC is reset when INIT arrives, not when a processor that blocks it takes it.
    apic_->init();
    awaken();
}

void Processor::startup(std::uint8_t vector) {
    cpu::raise_sipi(cpu_, vector);
    awaken();
}

}  // namespace hyperstep::machine
