#include "devices/pic.hpp"

namespace hyperstep::devices {
namespace {

constexpr unsigned cascade_input = 2;
constexpr unsigned spurious_input = 7;

std::uint8_t bit(unsigned input) {
    return static_cast<std::uint8_t>(1U << input);
}
void set(std::uint8_t& bits, unsigned mask) {
    bits = static_cast<std::uint8_t>(bits | mask);
}
void clear(std::uint8_t& bits, unsigned mask) {
    bits = static_cast<std::uint8_t>(bits & ~mask);
}

/// 0: the input of highest priority in the rotation; 7: the lowest. For no input: 8.
unsigned best_rank(const Pic8259& pic, unsigned inputs) {
    for (unsigned rank = 0; rank < 8; ++rank)
        if ((inputs & bit((pic.lowest_priority + 1U + rank) % 8)) != 0) return rank;
    return 8;
}
unsigned input_at(const Pic8259& pic, unsigned rank) {
    return (pic.lowest_priority + 1U + rank) % 8;
}

enum class Place : std::uint8_t { master, slave };

/// The input that INT is asserted for; -1: it is not. 8259A "Fully Nested Mode", "Special Fully Nested Mode",
/// "Special Mask Mode".
int due(const Pic8259& pic, Place place) {
    const unsigned rank = best_rank(pic, pic.request & ~unsigned{pic.mask});
    unsigned inhibiting = pic.in_service;
    if (pic.special_mask) inhibiting &= ~unsigned{pic.mask};
    if (pic.special_fully_nested && place == Place::master) {
        // The slave may interrupt again while its input is in service: equal priority no longer inhibits.
        const unsigned without = inhibiting & ~unsigned{bit(cascade_input)};
        if (rank < 8 && input_at(pic, rank) == cascade_input) inhibiting = without;
    }
    return rank < best_rank(pic, inhibiting) ? static_cast<int>(input_at(pic, rank)) : -1;
}

/// An input is acknowledged.
void take(Pic8259& pic, unsigned input) {
    // The edge is used up; a level asks again for as long as it lasts.
    if ((pic.level_triggered & bit(input)) == 0) clear(pic.request, bit(input));
    if (!pic.auto_eoi)
        set(pic.in_service, bit(input));
    else if (pic.rotate_on_auto_eoi)
        pic.lowest_priority = static_cast<std::uint8_t>(input);
}

void set_input(Pic8259& pic, unsigned input, Level level) {
    const bool was_asserted = (pic.levels & bit(input)) != 0;
    if (level == Level::deasserted) {
        clear(pic.levels, bit(input));
        clear(pic.request, bit(input));
        return;
    }
    set(pic.levels, bit(input));
    if (!was_asserted || (pic.level_triggered & bit(input)) != 0) set(pic.request, bit(input));
}

// 8259A "Initialization Command Words".
void write_icw1(Pic8259& pic, std::uint8_t value) {
    Pic8259 fresh;
    fresh.levels = pic.levels;
    fresh.level_triggered = pic.level_triggered;
    fresh.vector_base = pic.vector_base;
    fresh.request = pic.levels & pic.level_triggered;  // an edge is to come anew
    fresh.needs_icw4 = (value & 1U) != 0;
    fresh.expects_icw3 = (value & 2U) == 0;
    fresh.initialization = Pic8259::Initialization::expects_icw2;
    pic = fresh;
}

void write_next_icw(Pic8259& pic, std::uint8_t value) {
    using Step = Pic8259::Initialization;
    const Step last = pic.needs_icw4 ? Step::expects_icw4 : Step::done;
    switch (pic.initialization) {
        case Step::expects_icw2:
            pic.vector_base = value & 0xf8U;
            pic.initialization = pic.expects_icw3 ? Step::expects_icw3 : last;
            break;
        case Step::expects_icw3: pic.initialization = last; break;
        case Step::expects_icw4:
            pic.auto_eoi = (value & 2U) != 0;
            pic.special_fully_nested = (value & 0x10U) != 0;
            pic.initialization = Step::done;
            break;
        default: break;
    }
}

// 8259A "Operation Command Words", OCW2.
void write_ocw2(Pic8259& pic, std::uint8_t value) {
    const unsigned level = value & 7U;
    unsigned ended = 8;
    switch (value >> 5U) {
        case 0: pic.rotate_on_auto_eoi = false; return;
        case 4: pic.rotate_on_auto_eoi = true; return;
        case 1:
        case 5: {
            // In special mask mode a masked input is not ended by this.
            const unsigned candidates = pic.in_service & ~(pic.special_mask ? unsigned{pic.mask} : 0U);
            if (const unsigned rank = best_rank(pic, candidates); rank < 8) ended = input_at(pic, rank);
            break;
        }
        case 3:
        case 7: ended = level; break;
        case 6: pic.lowest_priority = static_cast<std::uint8_t>(level); return;
        default: return;
    }
    if (ended == 8) return;
    clear(pic.in_service, bit(ended));
    const bool rotates = (value & 0x80U) != 0;
    if (rotates) pic.lowest_priority = static_cast<std::uint8_t>(ended);
}

void write_ocw3(Pic8259& pic, std::uint8_t value) {
    if ((value & 0x40U) != 0) pic.special_mask = (value & 0x20U) != 0;
    pic.poll = (value & 4U) != 0;
    if ((value & 2U) != 0) pic.reads_in_service = (value & 1U) != 0;
}

void write_controller(Pic8259& pic, unsigned address, std::uint8_t value) {
    if (address == 0) {
        if ((value & 0x10U) != 0) return write_icw1(pic, value);
        return (value & 8U) != 0 ? write_ocw3(pic, value) : write_ocw2(pic, value);
    }
    if (pic.initialization != Pic8259::Initialization::done) return write_next_icw(pic, value);
    pic.mask = value;
}

// 8259A "Poll Command", "Reading the 8259A Status".
std::uint8_t read_controller(Pic8259& pic, Place place, unsigned address) {
    if (pic.poll) {
        pic.poll = false;
        const int input = due(pic, place);
        if (input < 0) return 0;
        take(pic, static_cast<unsigned>(input));
        return static_cast<std::uint8_t>(0x80 | input);
    }
    if (address != 0) return pic.mask;
    return pic.reads_in_service ? pic.in_service : pic.request;
}

}  // namespace

PicPair::PicPair(InterruptLine& output) : output_{output} {}

void PicPair::reset() {
    for (Pic8259* pic : {&state_.master, &state_.slave}) {
        Pic8259 fresh;
        fresh.levels = pic->levels;
        *pic = fresh;
    }
    update();
}

void PicPair::update() {
    const bool slave_asks = due(state_.slave, Place::slave) >= 0;
    Pic8259& master = state_.master;
    if (slave_asks)
        set(master.request, bit(cascade_input));
    else
        clear(master.request, bit(cascade_input));
    output_.set(level_if(has_interrupt()));
}

bool PicPair::has_interrupt() const {
    return due(state_.master, Place::master) >= 0;
}

bool PicPair::is_masked(unsigned line) const {
    if (line < 8) return (state_.master.mask & bit(line)) != 0;
    return (state_.slave.mask & bit(line % 8)) != 0 || (state_.master.mask & bit(cascade_input)) != 0;
}

void PicPair::set_line(unsigned line, Level level) {
    if (line == cascade_input) return;
    set_input(line < 8 ? state_.master : state_.slave, line % 8, level);
    update();
}

std::uint8_t PicPair::acknowledge() {
    Pic8259& master = state_.master;
    Pic8259& slave = state_.slave;
    const int input = due(master, Place::master);
    if (input < 0) return static_cast<std::uint8_t>(master.vector_base | spurious_input);
    take(master, static_cast<unsigned>(input));
    auto vector = static_cast<std::uint8_t>(master.vector_base | input);
    if (input == int{cascade_input}) {
        const int from_slave = due(slave, Place::slave);
        if (from_slave >= 0) take(slave, static_cast<unsigned>(from_slave));
        const unsigned number = from_slave < 0 ? spurious_input : static_cast<unsigned>(from_slave);
        vector = static_cast<std::uint8_t>(slave.vector_base | number);
    }
    update();
    return vector;
}

std::uint32_t PicPair::read(std::uint16_t offset, IoWidth /*width*/) {
    switch (offset) {
        case 4: return state_.master.level_triggered;
        case 5: return state_.slave.level_triggered;
        default: break;
    }
    const bool is_master = offset < 2;
    const std::uint8_t value = read_controller(
        is_master ? state_.master : state_.slave, is_master ? Place::master : Place::slave, offset % 2);
    update();  // a poll acknowledges
    return value;
}

void PicPair::write(std::uint16_t offset, IoWidth /*width*/, std::uint32_t value) {
    const auto byte = static_cast<std::uint8_t>(value);
    const auto write_elcr = [](Pic8259& pic, unsigned bits) {
        pic.level_triggered = static_cast<std::uint8_t>(bits);
        set(pic.request, pic.levels & bits);
    };
    switch (offset) {
        case 4: write_elcr(state_.master, byte & ~unsigned{always_edge_master}); break;
        case 5: write_elcr(state_.slave, byte & ~unsigned{always_edge_slave}); break;
        default: write_controller(offset < 2 ? state_.master : state_.slave, offset % 2, byte); break;
    }
    update();
}

}  // namespace hyperstep::devices
