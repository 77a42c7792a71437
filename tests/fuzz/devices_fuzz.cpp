// Covers: devices/bus.cpp devices/chipset.cpp devices/local_apic.cpp devices/local_apic_registers.cpp
// Covers: devices/local_apic_timer.cpp devices/apic_bus.cpp devices/io_apic.cpp devices/pic.cpp
// devices/pit.cpp Covers: devices/rtc.cpp devices/uart.cpp devices/hpet.cpp devices/power_management.cpp
// devices/pci.cpp Covers: devices/keyboard_controller.cpp devices/firmware_config.cpp devices/debug_ports.cpp
// Rooms: devices
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "tests/devices/board.hpp"

// A hostile guest's accesses and the passing of time, in any order: nothing fails, deadlines lie ahead, and
// what is saved is all that there is.
namespace {

using namespace hyperstep;
using namespace hyperstep::devices;

void require(bool holds) {
    if (!holds) std::abort();
}

class Input {
public:
    explicit Input(std::span<const std::uint8_t> bytes) : bytes_{bytes} {}
    bool at_end() const { return bytes_.empty(); }
    std::uint64_t number(unsigned count) {
        std::uint64_t value = 0;
        for (unsigned i = 0; i < count && !bytes_.empty(); ++i, bytes_ = bytes_.subspan(1))
            value |= std::uint64_t{bytes_[0]} << (8 * i);
        return value;
    }

private:
    std::span<const std::uint8_t> bytes_;
};

/// Half of the ports that are tried belong to somebody.
std::uint16_t port_of(std::uint64_t number) {
    constexpr std::uint16_t first_ports[] = {0x20,  0xa0,  0x40,  0x60,   0x70,   0x80,  0x92,
                                             0xb2,  0xe0,  0xf4,  0x3f8,  0x4d0,  0x510, 0x600,
                                             0x608, 0x620, 0xcf8, 0x2000, 0x8900, 0xe9};
    if ((number & 0x8000U) != 0) return static_cast<std::uint16_t>(number);
    return static_cast<std::uint16_t>(first_ports[number % std::size(first_ports)] + (number >> 8U & 0xfU));
}

void access_memory(
    MemoryDevice& device, std::uint64_t place, unsigned bytes, bool writes, std::uint64_t value) {
    const std::uint64_t offset = std::min<std::uint64_t>(place & 0xfffU, device.size() - bytes);
    const std::uint64_t mask = bytes == 8 ? ~0ULL : (1ULL << (8 * bytes)) - 1;
    if (writes)
        device.write(offset, bytes, value & mask);
    else
        require((device.read(offset, bytes) & ~mask) == 0);
}

void step(devices_test::Board& board, Input& input) {
    Chipset& chipset = *board.chipset;
    const std::uint64_t choice = input.number(1);
    LocalApic& apic = chipset.local_apic(choice >> 4U & 1U);
    const bool writes = (choice & 0x20U) != 0;
    const unsigned bytes = 1U << (choice >> 6U);
    switch (choice & 0xfU) {
        case 0:
        case 1:
        case 2: {
            const std::uint16_t port = port_of(input.number(2));
            const IoWidth width = bytes > 4 ? IoWidth::dword : static_cast<IoWidth>(bytes);
            if (writes)
                chipset.ports.write(port, width, static_cast<std::uint32_t>(input.number(bytes)));
            else
                require((chipset.ports.read(port, width) & ~mask_of(width)) == 0);
            return;
        }
        case 3: return access_memory(apic, input.number(2), bytes, writes, input.number(bytes));
        case 4: return access_memory(apic, input.number(1) << 4U, 4, true, input.number(4));
        case 5: return access_memory(chipset.io_apic(), input.number(1), bytes, writes, input.number(bytes));
        case 6: return access_memory(chipset.hpet(), input.number(2), bytes, writes, input.number(bytes));
        case 7: static_cast<void>(apic.write_msr(0x800U + input.number(1) % 0x40U, input.number(5))); return;
        case 8:
            static_cast<void>(apic.read_msr(0x800U + static_cast<std::uint32_t>(input.number(1))));
            return;
        case 9: static_cast<void>(apic.set_base(input.number(6))); return;
        case 10: apic.set_tsc_deadline(input.number(bytes)); return;
        case 11:
            if (apic.has_interrupt()) apic.acknowledge();
            return;
        case 12: chipset.com1().receive(static_cast<std::uint8_t>(input.number(1))); return;
        case 13: chipset.keyboard().type(static_cast<std::uint8_t>(input.number(1))); return;
        case 14: {  // to the next deadline, as a machine does it
            const std::uint64_t deadline = chipset.next_deadline();
            require(deadline > board.timeline.now);
            if (deadline == Timeline::never) return;
            board.timeline.now = deadline;
            return chipset.advance_to(deadline);
        }
        default:  // or past many of them at once
            board.timeline.now += input.number(bytes > 4 ? 6 : bytes);
            return chipset.advance_to(board.timeline.now);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input{{data, size}};
    devices_test::Board board{2};
    for (unsigned steps = 0; steps < 2000 && !input.at_end(); ++steps) {
        // What an access does happens before the next one.
        step(board, input);
        board.chipset->advance_to(board.timeline.now);
    }
    require(board.chipset->next_deadline() > board.timeline.now);
    board.chipset->for_each_state([]<class State>(std::string_view /*name*/, State& state) {
        const auto saved = save(state);
        const auto loaded = load<State>(saved);
        require(loaded && save(*loaded) == saved);
    });
    return 0;
}
