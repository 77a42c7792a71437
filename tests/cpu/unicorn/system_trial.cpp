#include "tests/cpu/unicorn/system_trial.hpp"

#include <cstdio>
#include <cstring>
#include <initializer_list>

namespace hyperstep::unicorn {
namespace {

using Bytes = std::initializer_list<std::uint8_t>;

constexpr std::uint64_t nested_task = 1 << 14;
/// CF, PF, AF, ZF, SF, IF, DF, OF, AC, ID: flags whose value stops nothing and traps nothing at CPL 0.
constexpr std::uint64_t harmless_flags = 0x24'0ed5;

/// Draws the parts of one trial.
class Drawing {
public:
    Drawing(Numbers& numbers, Trial& trial) : numbers_{numbers}, trial_{trial} {}

    void all() {
        trial_.surroundings = static_cast<Surroundings>(numbers_.below(4));
        for (std::uint64_t& value : trial_.gpr) value = numbers_.interesting();
        trial_.gpr[4] = layout::stack;
        trial_.rflags = (numbers_.next() & harmless_flags) | 2;
        for (std::size_t i = 0; i < 0x800; ++i) trial_.memory[layout::code - layout::begin + i] = 0x90;
        for (std::size_t i = 0; i < 64; ++i) put(layout::data + i, 1, numbers_.next());
        descriptors();
        instruction();
        std::memcpy(trial_.memory.data(), trial_.code.data(), trial_.code.size());
    }

private:
    bool is_64() const { return trial_.surroundings == Surroundings::long_64; }
    bool is_real() const { return trial_.surroundings == Surroundings::real; }
    bool is_16() const { return is_real() || trial_.surroundings == Surroundings::protected_16; }

    void put(std::uint64_t address, std::size_t bytes, std::uint64_t value) {
        std::memcpy(&trial_.memory[address - layout::begin], &value, bytes);
    }
    void descriptor(std::uint16_t selector, std::uint64_t value) { put(layout::gdt + selector, 8, value); }

    void descriptors() {
        const bool small = is_16();
        const std::uint64_t code = is_64() ? 0x00af'9b00'0000'ffff
                                   : small ? 0x0000'9b00'0000'ffff
                                           : 0x00cf'9b00'0000'ffff;
        descriptor(selector::code, code);
        descriptor(selector::stack, small ? 0x0000'9300'0000'ffff : 0x00cf'9300'0000'ffff);
        descriptor(selector::other_code, is_64() || small ? 0x00cf'9b00'0000'ffff : 0x0000'9b00'0000'ffff);
        for (std::uint16_t i = selector::varied; i < selector::end; i = static_cast<std::uint16_t>(i + 8))
            descriptor(i, varied_descriptor());
    }
    /// Base below 64 KiB, so that code in it lies in RAM. No call, interrupt or trap gates.
    std::uint64_t varied_descriptor() {
        static constexpr std::uint8_t system_types[] = {0, 2, 2, 9, 9, 0xb, 0xa, 0xd};
        const std::uint64_t base = numbers_.below(0x1'0000), limit = numbers_.next() & 0xf'ffff;
        const bool segment = !numbers_.one_in(3);
        const std::uint64_t type = segment ? 0x10 | numbers_.below(16) : system_types[numbers_.below(8)];
        const std::uint64_t dpl = numbers_.one_in(2) ? 0 : numbers_.below(4);
        const std::uint64_t present = numbers_.one_in(6) ? 0 : 1;
        const std::uint64_t flags = numbers_.below(16);
        return (limit & 0xffff) | base << 16 | type << 40 | dpl << 45 | present << 47 | limit >> 16 << 48 |
               flags << 52;
    }
    /// Of a random descriptor; sometimes null, with an RPL, beyond the limit, or of the LDT, which is none.
    std::uint16_t any_selector() {
        const std::uint64_t index = numbers_.one_in(12) ? 0 : 8 + 8 * numbers_.below((selector::end - 8) / 8);
        const std::uint64_t rpl = numbers_.one_in(4) ? numbers_.below(4) : 0;
        const std::uint64_t other = numbers_.one_in(16) ? 4 : 0;
        const std::uint64_t beyond = numbers_.one_in(16) ? 0x80 : 0;
        return static_cast<std::uint16_t>((index + beyond) | rpl | other);
    }
    /// In real mode one with which IP reaches RAM.
    std::uint16_t code_selector() {
        if (is_real()) return static_cast<std::uint16_t>(numbers_.below(0x1000));
        if (numbers_.one_in(2)) return numbers_.one_in(2) ? selector::code : selector::other_code;
        const std::uint16_t drawn = any_selector();
        return is_task_state(drawn) ? selector::code : drawn;
    }
    /// A far branch there switches tasks, which are not compared.
    bool is_task_state(std::uint16_t selector) const {
        const std::size_t index = selector & 0xfff8;
        if (index >= selector::end) return false;
        const std::uint8_t rights = trial_.memory[layout::gdt - layout::begin + index + 5];
        return (rights & 0x1d) == 9;
    }

    void emit(Bytes bytes) { trial_.code.insert(trial_.code.end(), bytes); }
    void name(const char* text) { trial_.name = text; }
    std::uint8_t byte(std::uint64_t value) { return static_cast<std::uint8_t>(value); }
    /// A general register that is not RSP.
    std::uint8_t gpr() {
        const std::uint64_t number = numbers_.below(8);
        return byte(number == 4 ? 3 : number);
    }
    /// Half of the time the other operand size, or REX.W in 64-bit mode. The operand size in bytes.
    unsigned size_prefix() {
        const unsigned plain = is_16() ? 2 : 4;
        if (numbers_.one_in(2)) return plain;
        if (is_64() && numbers_.one_in(2)) {
            emit({0x48});
            return 8;
        }
        emit({0x66});
        return 6 - plain;
    }
    void register_operand(unsigned reg, unsigned rm) { emit({byte(0xc0 | reg << 3 | rm)}); }
    void memory_operand(unsigned reg, std::uint64_t address = layout::data) {
        const std::uint8_t low = byte(address), high = byte(address >> 8);
        if (is_64())
            emit({byte(reg << 3 | 4), 0x25, low, high, 0, 0});
        else if (is_16())
            emit({byte(reg << 3 | 6), low, high});
        else
            emit({byte(reg << 3 | 5), low, high, 0, 0});
    }
    /// A register with `value`, or memory with it.
    void operand(unsigned reg, std::uint64_t value) {
        const std::uint8_t number = gpr();
        if (numbers_.one_in(2)) {
            put(layout::data, 8, value);
            memory_operand(reg);
        } else {
            trial_.gpr[number] = value;
            register_operand(reg, number);
        }
    }
    std::uint64_t target() { return layout::code + 0x100 + numbers_.below(0x400); }

    void instruction() {
        switch (numbers_.below(14)) {
            case 0: return read_control();
            case 1: return write_control();
            case 2: return debug_register();
            case 3: return table_register();
            case 4: return status_word();
            case 5: return system_selector();
            case 6: return query();
            case 7: return load_segment();
            case 8: return pop_segment();
            case 9: return far_pointer();
            case 10: return far_branch();
            case 11: return far_return();
            case 12: return flags();
            default: return model_specific();
        }
    }

    void read_control() {
        static constexpr std::uint8_t numbers[] = {0, 2, 3, 4};
        name("MOV from CR");
        emit({0x0f, 0x20});
        register_operand(numbers[numbers_.below(4)], gpr());
    }
    void write_control() {
        name("MOV to CR");
        const std::uint8_t from = gpr();
        emit({0x0f, 0x22});
        switch (numbers_.below(4)) {
            case 0:  // MP, EM, TS, NE, WP, AM
                trial_.gpr[from] = (first_cr0(trial_.surroundings) & ~0x20ULL) | (numbers_.next() & 0x5'002e);
                return register_operand(0, from);
            case 1: return register_operand(2, from);
            case 2:  // PWT, PCD
                trial_.gpr[from] = layout::page_tables | (numbers_.next() & 0x18);
                return register_operand(3, from);
            default:  // TSD, DE, PSE, MCE, PGE, PCE, OSFXSR, OSXMMEXCPT; PAE stays
                trial_.gpr[from] = (first_cr4(trial_.surroundings) & ~0x600ULL) | (numbers_.next() & 0x7dc);
                return register_operand(4, from);
        }
    }
    void debug_register() {
        static constexpr std::uint8_t numbers[] = {0, 1, 2, 3, 6, 7};
        const std::uint8_t number = numbers[numbers_.below(6)], with = gpr();
        const bool writes = numbers_.one_in(2);
        name(writes ? "MOV to DR" : "MOV from DR");
        // No breakpoint is enabled, nor general detection.
        trial_.gpr[with] =
            number == 7 ? (numbers_.next() & 0xffff'0300) | 0x400 : numbers_.next() & 0xffff'ffff;
        emit({0x0f, byte(writes ? 0x23 : 0x21)});
        register_operand(number, with);
    }
    void table_register() {
        static constexpr const char* names[] = {"SGDT", "SIDT", "LGDT", "LIDT"};
        const unsigned which = static_cast<unsigned>(numbers_.below(4));
        name(names[which]);
        if (!is_64() && numbers_.one_in(2)) emit({0x66});
        if (is_64()) put(layout::data + 2, 8, numbers_.next() & 0x7fff'ffff'ffff);
        emit({0x0f, 0x01});
        memory_operand(which);
    }
    void status_word() {
        switch (numbers_.below(3)) {
            case 0:
                name("SMSW");
                size_prefix();
                emit({0x0f, 0x01});
                return operand(4, numbers_.next());
            case 1:
                name("LMSW");
                emit({0x0f, 0x01});
                return operand(6, numbers_.next() & ~(is_real() ? 1ULL : 0ULL));
            default: name("CLTS"); return emit({0x0f, 0x06});
        }
    }
    void system_selector() {
        static constexpr const char* names[] = {"SLDT", "STR", "LLDT", "LTR", "VERR", "VERW"};
        const unsigned which = static_cast<unsigned>(numbers_.below(6));
        name(names[which]);
        if (which < 2) size_prefix();
        emit({0x0f, 0x00});
        operand(which, which < 2 ? numbers_.next() : any_selector());
    }
    void query() {
        const bool limit = numbers_.one_in(2);
        name(limit ? "LSL" : "LAR");
        size_prefix();
        emit({0x0f, byte(limit ? 0x03 : 0x02)});
        operand(gpr(), any_selector());
    }
    void load_segment() {
        if (numbers_.one_in(3)) {
            name("MOV from Sreg");
            size_prefix();
            emit({0x8c});
            return operand(static_cast<unsigned>(numbers_.below(6)), numbers_.next());
        }
        name("MOV to Sreg");
        emit({0x8e});
        operand(static_cast<unsigned>(numbers_.below(6)), any_selector());
    }
    void pop_segment() {
        static constexpr std::uint8_t short_forms[] = {0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f};
        static constexpr std::uint8_t long_forms[] = {0xa0, 0xa1, 0xa8, 0xa9};
        name("PUSH, POP Sreg");
        put(layout::stack, 2, any_selector());
        size_prefix();
        if (!is_64() && numbers_.one_in(2)) return emit({short_forms[numbers_.below(7)]});
        emit({0x0f, long_forms[numbers_.below(4)]});
    }
    void far_pointer() {
        static constexpr std::uint8_t long_forms[] = {0xb2, 0xb4, 0xb5};
        name("LES, LDS, LSS, LFS, LGS");
        const unsigned bytes = size_prefix();
        put(layout::data + bytes, 2, any_selector());
        if (!is_64() && numbers_.one_in(2))
            emit({byte(0xc4 + numbers_.below(2))});
        else
            emit({0x0f, long_forms[numbers_.below(3)]});
        memory_operand(gpr());
    }
    void far_branch() {
        const bool call = numbers_.one_in(2);
        name(call ? "CALL far" : "JMP far");
        const unsigned bytes = size_prefix();
        const std::uint16_t to = code_selector();
        const std::uint64_t offset = target();
        if (!is_64() && numbers_.one_in(2)) {
            emit({byte(call ? 0x9a : 0xea), byte(offset), byte(offset >> 8)});
            if (bytes == 4) emit({0, 0});
            return emit({byte(to), byte(to >> 8)});
        }
        put(layout::data, bytes, offset);
        put(layout::data + bytes, 2, to);
        emit({0xff});
        memory_operand(call ? 3 : 5);
    }
    void far_return() {
        const unsigned bytes = size_prefix();
        put(layout::stack, bytes, target());
        // RPL 0: no return to an outer ring.
        put(layout::stack + bytes, bytes, code_selector() & ~(is_real() ? 0U : 3U));
        put(layout::stack + 2 * bytes, bytes, (numbers_.next() & harmless_flags) | 2);
        put(layout::stack + 3 * bytes, bytes, layout::stack - 0x100);
        put(layout::stack + 4 * bytes, bytes, numbers_.one_in(3) ? any_selector() : selector::stack);
        switch (numbers_.below(3)) {
            case 0: name("IRET"); return emit({0xcf});
            case 1: name("RET far"); return emit({0xcb});
            default: name("RET far"); return emit({0xca, byte(numbers_.below(64)), 0});
        }
    }
    void flags() {
        switch (numbers_.below(4)) {
            case 0: name("CLI"); return emit({0xfa});
            case 1: name("STI"); return emit({0xfb});
            case 2: name("PUSHF"); break;
            default: name("POPF"); break;
        }
        const bool push = trial_.name == "PUSHF";
        // IOPL and NT, too: at CPL 0 it may be changed.
        put(layout::stack, 8, numbers_.next() & (harmless_flags | nested_task | 0x3000));
        if (numbers_.one_in(2)) emit({0x66});
        emit({byte(push ? 0x9c : 0x9d)});
    }
    void model_specific() {
        if (is_64() && numbers_.one_in(4)) {
            name("SWAPGS");
            return emit({0x0f, 0x01, 0xf8});
        }
        // Those of 64-bit mode exist everywhere, but only there are they compared.
        const std::uint32_t index = compared_msrs[numbers_.below(is_64() ? 10 : 4)];
        const bool writes = numbers_.one_in(2);
        name(writes ? "WRMSR" : "RDMSR");
        trial_.gpr[1] = index;
        trial_.gpr[2] &= 0x7fff;  // EDX: the address is canonical
        // Bits 63:16 of IA32_SYSENTER_CS are "not used": whether they are kept is left open.
        if (index == 0x174) {
            trial_.gpr[0] &= 0xffff;
            trial_.gpr[2] = 0;
        }
        emit({0x0f, byte(writes ? 0x30 : 0x32)});
    }

    Numbers& numbers_;
    Trial& trial_;
};

}  // namespace

Trial draw(Numbers& numbers) {
    Trial trial;
    Drawing{numbers, trial}.all();
    return trial;
}

std::string description(const Trial& trial) {
    static constexpr const char* names[] = {"real", "16-bit", "32-bit", "64-bit"};
    std::string text = trial.name + " (" + names[static_cast<unsigned>(trial.surroundings)] + "):";
    for (const std::uint8_t each : trial.code) {
        char digits[4];
        std::snprintf(digits, sizeof digits, " %02x", each);
        text += digits;
    }
    // Which register an MSR instruction names.
    if (trial.name == "RDMSR" || trial.name == "WRMSR") {
        char index[20];
        std::snprintf(index, sizeof index, "  ECX=%08x", static_cast<unsigned>(trial.gpr[1]));
        text += index;
    }
    return text;
}

}  // namespace hyperstep::unicorn
