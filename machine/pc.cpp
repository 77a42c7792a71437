#include "machine/pc.hpp"

#include <algorithm>
#include <array>
#include <cassert>

#include "base/archive.hpp"
#include "base/trace_words.hpp"
#include "machine/acpi_tables.hpp"
#include "machine/firmware_rom.hpp"

namespace hyperstep::machine {
namespace {

devices::ChipsetConfiguration chipset_configuration(const PcConfiguration& pc) {
    devices::ChipsetConfiguration chipset;
    chipset.cmos.start_seconds = pc.start_seconds;
    chipset.cmos.memory_below_4g = pc.memory.below_4g;
    chipset.cmos.memory_above_4g = pc.memory.above_4g;
    chipset.cmos.processors = pc.processors;
    chipset.serial = pc.serial;
    chipset.processor.has_x2apic = pc.model->has(cpu::Feature::x2apic);
    chipset.processor.has_tsc_deadline = pc.model->has(cpu::Feature::tsc_deadline);
    chipset.processor.physical_address_width = pc.model->physical_width;
    return chipset;
}

PcConfiguration completed(PcConfiguration configuration) {
    if (configuration.model == nullptr) configuration.model = &cpu::model_max();
    return configuration;
}

}  // namespace

std::string_view to_string(Ended ended) {
    switch (ended) {
        case Ended::debug_exit: return "debug_exit";
        case Ended::poweroff: return "poweroff";
        case Ended::reset: return "reset";
        case Ended::triple_fault: return "triple_fault";
        case Ended::unimplemented: return "unimplemented";
        case Ended::limit: return "limit";
        case Ended::pattern: return "pattern";
        case Ended::deadlock: return "deadlock";
    }
    return "";
}

Pc::Pc(PcConfiguration configuration)
    : configuration_{completed(std::move(configuration))},
      schedule_{configuration_.seed, configuration_.processors} {
    add_memory();
    SeededNumbers seeds{configuration_.seed};
    for (unsigned i = 0; i < configuration_.processors; ++i) {
        processors_.push_back(
            std::make_unique<Processor>(Processor::Wiring{memory_,
                                                          time_,
                                                          blocks_,
                                                          *configuration_.model,
                                                          {.processors = configuration_.processors},
                                                          *this},
                                        i));
        processors_.back()->cpu().state.random = seeds.next();
    }
    add_devices();
    add_firmware();
    give_firmware_configuration();
    leave_firmware_state();
}

Pc::~Pc() = default;

// ---- what the machine is made of --------------------------------------------------------------------------

void Pc::add_memory() {
    const MemoryMap& map = configuration_.memory;
    [[maybe_unused]] bool added = memory_.add_ram(Hpa{0}, MemoryMap::low_end).has_value();
    added = added && memory_.add_ram(Hpa{MemoryMap::high}, map.below_4g - MemoryMap::high);
    added = added && memory_.add_ram(Hpa{MemoryMap::test_memory}, MemoryMap::test_memory_bytes);
    if (map.above_4g != 0) added = added && memory_.add_ram(Hpa{MemoryMap::above}, map.above_4g);
    assert(added);
}

void Pc::add_firmware() {
    const devices::PowerManagementModel power;
    const AcpiTables tables = acpi_tables(configuration_.memory, configuration_.processors, power);
    const FirmwareRom rom = firmware_rom(tables);
    const std::span<const std::byte> all{rom.bytes};
    constexpr std::uint64_t top = MemoryMap::above - MemoryMap::reset_vector_rom;
    [[maybe_unused]] bool added = memory_.add_rom(Hpa{MemoryMap::firmware}, all).has_value();
    added = added && memory_.add_rom(Hpa{MemoryMap::reset_vector_rom}, all.last(top));
    added = added && memory_.write_bytes(Hpa{tables.tables_address}, std::as_bytes(std::span{tables.tables}));
    added =
        added && memory_.write_bytes(Hpa{tables.control_address}, std::as_bytes(std::span{tables.control}));
    assert(added);
}

void Pc::add_window(std::uint64_t first, devices::MemoryDevice& device) {
    windows_.push_back(std::make_unique<DeviceWindow>(device, first, baton_, time_, configuration_.trace));
    [[maybe_unused]] const auto added = memory_.add_mmio(Hpa{first}, device.size(), *windows_.back());
    assert(added.has_value());
}

void Pc::add_devices() {
    constexpr unsigned coprocessor_line = 13;
    constexpr devices::PortRange coprocessor_ports{0xf0, 1};
    std::vector<devices::ProcessorLines*> lines;
    for (const auto& processor : processors_) lines.push_back(processor.get());
    chipset_ = std::make_unique<devices::Chipset>(chipset_configuration(configuration_), time_, *this, lines);
    devices::InterruptLine& coprocessor = chipset_->wires().connect(coprocessor_line);
    coprocessor_error_ = std::make_unique<CoprocessorErrorLatch>(coprocessor);
    [[maybe_unused]] const auto attached = chipset_->ports.attach(coprocessor_ports, *coprocessor_error_);
    assert(attached.has_value());
    for (const auto& processor : processors_)
        processor->connect(*chipset_, coprocessor, configuration_.trace);
    add_window(devices::IoApic::default_address, chipset_->io_apic());
    add_window(devices::Hpet::default_address, chipset_->hpet());
    apic_base_changed();
}

void Pc::give_firmware_configuration() {
    using devices::FirmwareKey;
    devices::FirmwareConfig& firmware = chipset_->firmware();
    const MemoryMap& map = configuration_.memory;
    firmware.set_number(FirmwareKey::ram_size, map.below_4g + map.above_4g, 8);
    firmware.set_number(FirmwareKey::processors, configuration_.processors, 2);
    firmware.set_number(FirmwareKey::most_processors, configuration_.processors, 2);
}

/// What firmware would have done before an image starts: interrupt controllers initialized and masked, the
/// serial port set to 8 bits, the bootstrap processor's APIC in virtual-wire mode, caches on, application
/// processors waiting for SIPI.
/// The real-mode interrupt table, and the words of the BIOS data area that boot code reads: where base memory
/// ends, above all.
void Pc::leave_bios_data() {
    constexpr std::uint64_t rom_segment = 0xf000;
    for (unsigned vector = 0; vector < 256; ++vector) {
        const std::uint64_t offset = FirmwareRom::handler_of(vector) - (rom_segment << 4);
        memory_.write(Hpa{vector * 4ULL}, 4, rom_segment << 16 | offset);
    }
    constexpr std::uint64_t data_area = 0x400;
    constexpr std::uint16_t has_x87 = 1 << 1, one_serial_port = 1 << 9;
    const auto word = [&](std::uint64_t offset, std::uint64_t value) {
        memory_.write(Hpa{data_area + offset}, 2, value);
    };
    word(0x00, 0x3f8);                                   // the first serial port
    word(0x0e, MemoryMap::extended_data >> 4);           // the segment of the EBDA
    word(0x10, has_x87 | one_serial_port);               // equipment
    word(0x13, MemoryMap::extended_data >> 10);          // KiB of base memory
    memory_.write(Hpa{MemoryMap::extended_data}, 1, 1);  // KiB of the EBDA itself
}

void Pc::leave_firmware_state() {
    constexpr std::array<std::pair<std::uint16_t, std::uint32_t>, 13> initialization{{
        {0x20, 0x11},
        {0x21, 0x08},
        {0x21, 0x04},
        {0x21, 0x01},
        {0xa0, 0x11},
        {0xa1, 0x70},
        {0xa1, 0x02},
        {0xa1, 0x01},
        {0x21, 0xff},
        {0xa1, 0xff},
        {0x3fb, 0x03},  // COM1: 8 bits, no parity
        {0x92, 0x02},   // A20 is open by this port alone, so that it also closes it
        {0x64, 0xdd},   // the keyboard controller leaves it to that port
    }};
    for (const auto& [port, value] : initialization)
        chipset_->ports.write(port, devices::IoWidth::byte, value);
    leave_bios_data();
    chipset_->local_apic(0).set_virtual_wire_mode();
    constexpr std::uint64_t caches_off = 0x6000'0000;
    constexpr std::uint64_t write_back_by_default = 0xc06;  // and both kinds of MTRRs enabled
    for (const auto& processor : processors_) {
        cpu::Cpu& cpu = processor->cpu();
        cpu.state.cr0 &= ~caches_off;
        cpu.state.msr.mtrr_def_type = write_back_by_default;
        if (cpu.number != 0) cpu.state.activity = cpu::Activity::wait_for_sipi;
        cpu::refresh(cpu);
    }
}

void Pc::boot(const BootPlan& plan) {
    load(plan, memory_);
    cpu::Cpu& cpu = processors_.front()->cpu();
    enter(plan, cpu.state);
    if (plan.mode != EntryMode::real)
        cpu.state.gdtr = {.base = FirmwareRom::descriptors, .limit = FirmwareRom::descriptors_limit};
    cpu::refresh(cpu);
}

// ---- running ----------------------------------------------------------------------------------------------

std::optional<Ending> Pc::run_until(std::uint64_t instructions) {
    for (;;) {
        if (clock_source() == ClockSource::host) time_.now = std::max(time_.now, host_clock_.now());
        if (due_ <= time_.now) chipset_->advance_to(time_.now);
        due_ = chipset_->next_deadline();
        if (ending_) return ending_;
        if (wake_requested_) enter_waking_vector();
        if (time_.retired >= instructions) return std::nullopt;
        const std::uint64_t all = ~0ULL >> (64 - processors_.size());
        const bool nobody_runs = suspended_ || asked_ == all;
        if (const auto ending = nobody_runs ? pass_time() : run_holder(instructions)) return ending;
    }
}

std::uint64_t Pc::next_stop(std::uint64_t instructions) const {
    const auto after = [this](std::uint64_t ticks) {
        return ticks > Timeline::never - time_.now ? Timeline::never : time_.now + ticks;
    };
    // Every instruction takes at least a tick, so the bound is never passed.
    std::uint64_t stop = std::min({due_, schedule_.quantum_end(), after(instructions - time_.retired)});
    if (configuration_.traces_instructions) stop = std::min(stop, after(1));
    if (clock_source() == ClockSource::host) stop = std::min(stop, after(HostClock::sample_ticks));
    return stop;
}

std::optional<Ending> Pc::run_holder(std::uint64_t instructions) {
    if (time_.now >= schedule_.quantum_end()) schedule_.hand_on(time_.now);
    Processor& processor = *processors_[schedule_.holder()];
    const std::uint64_t began = time_.now, retired = time_.retired;
    const std::uint64_t planned = next_stop(instructions);
    time_.stop_at = planned;
    TraceEvent instruction{
        .instructions = retired, .vcpu = processor.cpu().number, .kind = TraceKind::retire};
    if (configuration_.traces_instructions)
        instruction.word(trace_word::retire::cs_base, processor.cpu().state.segment[cpu::cs].base)
            .word(trace_word::retire::rip, processor.cpu().state.rip);
    baton_.processor = &processor;
    const exec::Stop stop = processor.run();
    baton_.processor = nullptr;
    // A device has brought the stop forward: something is due then.
    if (time_.stop_at < planned) due_ = std::min(due_, time_.stop_at);
    if (configuration_.traces_instructions && time_.retired != retired)
        configuration_.trace.report([&]() -> const TraceEvent& { return instruction; });
    if (time_.now != began) {
        asked_ = 0;
        silent_jumps_ = 0;
    }
    switch (stop) {
        case exec::Stop::waiting:
            asked_ |= 1ULL << schedule_.holder();
            schedule_.hand_on(time_.now);
            return std::nullopt;
        case exec::Stop::shutdown:
            return Ending{.ended = Ended::triple_fault, .processor = processor.cpu().number};
        case exec::Stop::unimplemented:
        case exec::Stop::vm_exit:
            return Ending{.ended = Ended::unimplemented, .processor = processor.cpu().number};
        case exec::Stop::budget:
        case exec::Stop::breakpoint: break;
    }
    return std::nullopt;
}

std::optional<Ending> Pc::pass_time() {
    // A timer that every processor ignores does not keep a run alive for ever.
    constexpr std::uint32_t most_silent_jumps = 1U << 20;
    const std::uint64_t deadline = suspended_ ? chipset_->next_deadline() : chipset_->next_wakeup();
    if (deadline == Timeline::never || ++silent_jumps_ > most_silent_jumps)
        return Ending{.ended = Ended::deadlock, .processor = schedule_.holder()};
    if (clock_source() == ClockSource::host) host_clock_.sleep_until(deadline);
    time_.now = std::max(time_.now, deadline);
    due_ = deadline;
    asked_ = 0;
    return std::nullopt;
}

void Pc::interrupt_run() {
    time_.stop_no_later_than(time_.now);
    if (baton_.processor != nullptr) baton_.processor->leave_block();
}

void Pc::end(Ending ending) {
    if (baton_.processor != nullptr) ending.processor = baton_.processor->cpu().number;
    if (!ending_) ending_ = ending;
    interrupt_run();
}

// ---- what devices and processors do to the machine --------------------------------------------------------

void Pc::soft_reset() {
    for (const auto& processor : processors_) processor->init();
}

void Pc::software_smi(std::uint8_t /*command*/) {
    for (const auto& processor : processors_) processor->smi();
}

void Pc::set_a20(devices::Level level) {
    if (level == a20_) return;
    a20_ = level;
    for (const auto& processor : processors_) processor->cpu().tlb.flush();
    interrupt_run();
}

void Pc::flush_page(std::uint64_t /*address*/) {
    // Which linear pages map it is not known: all are forgotten.
    for (const auto& processor : processors_) processor->cpu().tlb.flush();
}

void Pc::apic_base_changed() {
    std::vector<std::uint64_t> wanted;
    for (const auto& processor : processors_)
        if (processor->local_apic().mode() == devices::ApicMode::xapic)
            wanted.push_back(processor->local_apic().page_address());
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    std::erase_if(apic_windows_, [&](const auto& window) {
        const bool stays = std::binary_search(wanted.begin(), wanted.end(), window->first());
        if (!stays) memory_.remove(Hpa{window->first()});
        return !stays;
    });
    for (const std::uint64_t first : wanted) {
        const bool is_there = std::any_of(apic_windows_.begin(),
                                          apic_windows_.end(),
                                          [&](const auto& window) { return window->first() == first; });
        if (is_there) continue;
        auto window = std::make_unique<ApicWindow>(first, baton_, time_, configuration_.trace);
        // Model: an APIC's page cannot lie over RAM or another device; a run that puts it there ends.
        if (memory_.add_mmio(Hpa{first}, 0x1000, *window))
            apic_windows_.push_back(std::move(window));
        else
            end({.ended = Ended::unimplemented});
    }
}

void Pc::suspend_to_ram() {
    suspended_ = true;
    interrupt_run();
}

void Pc::wake() {
    if (suspended_) wake_requested_ = true;
}

/// ACPI "Waking Vector": the processors are as after a reset, RAM is what it was, and the bootstrap processor
/// begins in real mode where the FACS says.
void Pc::enter_waking_vector() {
    constexpr std::uint64_t vector_offset = 12;
    const std::uint64_t facs = configuration_.memory.below_4g - MemoryMap::nvs_bytes;
    const std::uint64_t vector = memory_.read(Hpa{facs + vector_offset}, 4);
    suspended_ = wake_requested_ = false;
    for (const auto& processor : processors_) {
        cpu::State& state = processor->cpu().state;
        const std::uint64_t random = state.random, retired = state.retired;
        state = cpu::state_after_reset(configuration_.model->signature);
        state.random = random;
        state.retired = retired;
        processor->local_apic().reset();
    }
    apic_base_changed();
    leave_firmware_state();
    cpu::Cpu& first = processors_.front()->cpu();
    first.state.segment[cpu::cs].selector = static_cast<std::uint16_t>(vector >> 4);
    first.state.segment[cpu::cs].base = vector & 0xf'fff0;
    first.state.rip = vector & 0xf;
    cpu::refresh(first);
    asked_ = 0;
    for (const auto& processor : processors_) processor->interrupt_request_changed();
    if (vector == 0) end({.ended = Ended::reset});
}

// ---- the state of the whole -------------------------------------------------------------------------------

namespace {

/// The hashes of the parts, in an order that never changes.
struct Parts {
    std::vector<std::uint64_t> hashes;
    auto visit(auto& archive) { return archive(field("hashes", at_most<4096>(hashes))); }
};

}  // namespace

std::uint64_t Pc::state_hash() const {
    Parts parts;
    parts.hashes = {
        time_.now, time_.retired, hyperstep::state_hash(schedule_.state()), memory_.content_hash()};
    for (const auto& processor : processors_)
        parts.hashes.push_back(hyperstep::state_hash(processor->cpu().state));
    chipset_->for_each_state([&](std::string_view /*name*/, const auto& state) {
        parts.hashes.push_back(hyperstep::state_hash(state));
    });
    return hyperstep::state_hash(parts);
}

}  // namespace hyperstep::machine
