#include "cpu/stack_frame.hpp"

#include <cassert>

#include "cpu/operands.hpp"

namespace hyperstep::cpu {

Stack current_stack(const Cpu& cpu) {
    const std::uint64_t pointer = cpu.state.gpr[rsp];
    return {.segment = cpu.state.segment[ss],
            .pointer = cpu.stack_bytes == 4 ? pointer & 0xffff'ffff : pointer,
            .pointer_bytes = cpu.stack_bytes};
}

void StackFrame::push(std::uint64_t value, unsigned bytes) {
    assert(count_ < most);
    const std::uint64_t mask = mask_of_bytes(stack_.pointer_bytes);
    const std::uint64_t offset = (stack_.pointer - bytes) & mask;
    stack_.pointer = (stack_.pointer & ~mask) | offset;
    slots_[count_++] = {.offset = offset, .value = value, .bytes = static_cast<std::uint8_t>(bytes)};
}

Outcome StackFrame::check_room(const Cpu& cpu) const {
    const bool flat = stack_.pointer_bytes == 8;
    if (!flat && cpu.protected_mode() && stack_.segment.rights[AccessRights::unusable])
        return raise(Vector::ss, stack_.error_code);
    for (std::size_t i = 0; i < count_; ++i) {
        const Slot& slot = slots_[i];
        const bool has_room =
            flat ? is_canonical(cpu, slot.offset) && is_canonical(cpu, slot.offset + slot.bytes - 1)
                 : within_limit(stack_.segment, slot.offset, slot.bytes);
        if (!has_room) return raise(Vector::ss, stack_.error_code);
    }
    return {};
}

Outcome StackFrame::translate(Cpu& cpu) {
    const bool flat = stack_.pointer_bytes == 8;
    for (std::size_t i = 0; i < count_; ++i) {
        const Slot& slot = slots_[i];
        const std::uint64_t linear = flat ? slot.offset : (stack_.segment.base + slot.offset) & 0xffff'ffff;
        const auto place = cpu::translate(cpu, linear, slot.bytes, mmu::Access::write, stack_.accessor);
        if (!place) return tl::unexpected{place.error()};
        places_[i] = *place;
    }
    return {};
}

void StackFrame::write(Cpu& cpu) const {
    for (std::size_t i = 0; i < count_; ++i) {
        const std::uint64_t value = slots_[i].value;
        switch (slots_[i].bytes) {
            case 2: cpu::write(cpu, places_[i], static_cast<std::uint16_t>(value)); break;
            case 4: cpu::write(cpu, places_[i], static_cast<std::uint32_t>(value)); break;
            default: cpu::write(cpu, places_[i], value); break;
        }
    }
    cpu.state.gpr[rsp] = stack_.pointer;
}

}  // namespace hyperstep::cpu
