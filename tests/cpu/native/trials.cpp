#include "tests/cpu/native/trials.hpp"

#include <Zydis/Zydis.h>
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <span>
#include <string_view>

namespace hyperstep::native {
namespace {

struct Parsed {
    ZydisDecodedInstruction instruction;
    std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands;
};

ZydisDecoder decoder_for(CodeSize size) {
    ZydisDecoder decoder;
    switch (size) {
        case CodeSize::bits_16:
            ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_COMPAT_16, ZYDIS_STACK_WIDTH_32);
            break;
        case CodeSize::bits_32:
            ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_COMPAT_32, ZYDIS_STACK_WIDTH_32);
            break;
        case CodeSize::bits_64:
            ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
            break;
    }
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_CET, ZYAN_FALSE);
    ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_CLDEMOTE, ZYAN_FALSE);
    return decoder;
}

bool parse(CodeSize size, std::span<const std::uint8_t> code, Parsed& to) {
    const ZydisDecoder decoder = decoder_for(size);
    return ZYAN_SUCCESS(
        ZydisDecoderDecodeFull(&decoder, code.data(), code.size(), &to.instruction, to.operands.data()));
}

std::string_view name_of(ZydisMnemonic mnemonic) {
    return ZydisMnemonicGetString(mnemonic);
}

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> starts) {
    return std::any_of(starts.begin(), starts.end(), [&](std::string_view start) {
        return text.substr(0, start.size()) == start;
    });
}

bool is_transcendental(ZydisMnemonic mnemonic) {
    switch (mnemonic) {
        case ZYDIS_MNEMONIC_F2XM1:
        case ZYDIS_MNEMONIC_FYL2X:
        case ZYDIS_MNEMONIC_FYL2XP1:
        case ZYDIS_MNEMONIC_FPATAN:
        case ZYDIS_MNEMONIC_FPTAN:
        case ZYDIS_MNEMONIC_FSIN:
        case ZYDIS_MNEMONIC_FCOS:
        case ZYDIS_MNEMONIC_FSINCOS: return true;
        default: return false;
    }
}

/// Instructions whose outcome depends on the operating system, on time, or on the host's maker.
bool is_excluded(const Parsed& parsed) {
    const ZydisDecodedInstruction& in = parsed.instruction;
    const std::string_view name = name_of(in.mnemonic);
    const std::string_view set = ZydisISASetGetString(in.meta.isa_set);
    if (in.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY && in.encoding != ZYDIS_INSTRUCTION_ENCODING_VEX)
        return true;
    if (starts_with_any(
            set, {"AMD",     "SSE4A", "XOP",     "TBM",      "FMA4",      "CLZERO",    "MONITORX", "RDPRU",
                  "SNP",     "SMX",   "SVM",     "VTX",      "CET",       "PT",        "PCONFIG",  "ENQCMD",
                  "WAITPKG", "TSX",   "RTM",     "UINTR",    "AMX",       "KEYLOCKER", "HRESET",   "SGX",
                  "XSAVE",   "PKU",   "RDPID",   "RDWRFSGS", "RDRAND",    "RDSEED",    "MCOMMIT",  "PADLOCK",
                  "GFNI",    "VAES",  "VPCLMUL", "MOVDIR",   "SERIALIZE", "INVPCID",   "AVX_VNNI", "AVX512",
                  "KNC",     "3DNOW", "LWP",     "CLDEMOTE", "TDX"}))
        return true;
    if (starts_with_any(
            name,
            {"syscall", "sysenter", "sysexit", "sysret",  "int",  "iret",  "rdtsc",  "rdpmc",
             "cpuid",   "xgetbv",   "lds",     "les",     "lfs",  "lgs",   "lss",    "sldt",
             "str",     "sgdt",     "sidt",    "smsw",    "lar",  "lsl",   "verr",   "verw",
             "monitor", "mwait",    "ud0",     "ud1",     "ud2",  "arpl",  "getsec", "prefetch_exclusive",
             "fnsave",  "frstor",   "fxsave",  "fxrstor", "salc", "femms", "clac",   "stac",
             "bound",   "into"}))
        return true;
    if (in.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR) return true;
    // Not exact: makers round them differently, each within the manual's bound.
    if (is_transcendental(in.mnemonic)) return true;
    // The register forms of 0F 0D are NOPs on Intel processors, and undefined on AMD's.
    if (in.opcode_map == ZYDIS_OPCODE_MAP_0F && in.opcode == 0x0d && in.raw.modrm.mod == 3) return true;
    // Near branches with an operand-size prefix in 64-bit mode: Intel ignores it, AMD does not.
    if (in.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE && in.machine_mode == ZYDIS_MACHINE_MODE_LONG_64 &&
        (in.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE) != 0)
        return true;
    for (std::size_t i = 0; i < in.operand_count; ++i) {
        const ZydisDecodedOperand& operand = parsed.operands[i];
        const bool is_segment = operand.type == ZYDIS_OPERAND_TYPE_REGISTER &&
                                ZydisRegisterGetClass(operand.reg.value) == ZYDIS_REGCLASS_SEGMENT;
        if (is_segment && operand.visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN) return true;
        if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY &&
            (operand.mem.segment == ZYDIS_REGISTER_FS || operand.mem.segment == ZYDIS_REGISTER_GS))
            return true;
    }
    return false;
}

// ---- bytes ------------------------------------------------------------------------------------------------

/// Prefixes, opcode, ModRM and what follows, drawn so that each map has its share.
std::array<std::uint8_t, 16> random_code(Numbers& numbers, CodeSize size) {
    std::array<std::uint8_t, 16> code{};
    std::size_t at = 0;
    const auto put = [&](std::uint64_t byte) { code[at++] = static_cast<std::uint8_t>(byte); };
    if (numbers.one_in(4)) put(0x66);
    if (numbers.one_in(5)) put(numbers.one_in(2) ? 0xf3 : 0xf2);
    if (numbers.one_in(40)) put(0xf0);
    if (numbers.one_in(30)) put(0x67);
    const std::uint64_t map = numbers.below(8);
    const bool vex = map == 7;
    if (vex && numbers.one_in(3)) {
        at = 0;
        put(0xc5);
        put(numbers.next() | (numbers.one_in(2) ? 0x80 : 0));
    } else if (vex) {
        at = 0;
        put(0xc4);
        put((numbers.next() & 0xe0) | (1 + numbers.below(3)));
        put(numbers.next());
    } else {
        if (size == CodeSize::bits_64 && numbers.one_in(2)) put(0x40 | numbers.below(16));
        if (map >= 3) put(0x0f);
        if (map == 5) put(0x38);
        if (map == 6) put(0x3a);
    }
    while (at < code.size()) put(numbers.next());
    return code;
}

// ---- state ------------------------------------------------------------------------------------------------

/// A place for an operand: mostly in the window, at times where it faults.
std::uint64_t operand_place(Numbers& numbers) {
    if (numbers.one_in(24)) return layout::read_only - numbers.below(40);  // into the read-only page
    if (numbers.one_in(24)) return layout::data - numbers.below(40);       // before all data
    if (numbers.one_in(40)) return layout::read_only + layout::page - numbers.below(40);
    const std::uint64_t place = layout::window + 128 + numbers.below(layout::window_bytes - 256);
    return numbers.one_in(2) ? place & ~31ULL : place;
}

void make_floats(Numbers& numbers, Trial& trial) {
    FxsaveImage& image = trial.before.fxsave;
    const auto put = [&](std::size_t at, auto value) {
        std::memcpy(image.data() + at, &value, sizeof value);
    };
    const std::uint16_t control = static_cast<std::uint16_t>(
        0x40 | (numbers.one_in(8) ? numbers.next() & 0x3f : 0x3f) | (numbers.next() & 0xf00));
    std::uint16_t status = static_cast<std::uint16_t>(numbers.next() & 0x7f7f);
    // Unmasked exceptions that are pending make the summary bit.
    if (!numbers.one_in(8)) status = static_cast<std::uint16_t>(status & ~0x7f);
    if ((status & ~control & 0x3f) != 0) status |= 0x8080;
    put(0, control);
    put(2, status);
    put(4, static_cast<std::uint8_t>(numbers.one_in(3) ? numbers.next() : 0xff));
    put(24,
        static_cast<std::uint32_t>((numbers.one_in(6) ? numbers.next() & 0x1f80 : 0x1f80) |
                                   (numbers.one_in(3) ? numbers.next() & 0xe040 : 0)));
    for (std::size_t i = 0; i < 8; ++i) {
        std::uint64_t significand = numbers.interesting();
        std::uint16_t exponent = static_cast<std::uint16_t>(0x3fff + numbers.below(140) - 70);
        if (numbers.one_in(6)) exponent = 0;
        if (numbers.one_in(6)) exponent = 0x7fff;
        if (numbers.one_in(8)) exponent = static_cast<std::uint16_t>(numbers.below(0x8000));
        if (!numbers.one_in(16) && exponent != 0) significand |= 1ULL << 63;
        if (numbers.one_in(2)) exponent |= 0x8000;
        put(32 + i * 16, significand);
        put(40 + i * 16, exponent);
    }
    for (std::size_t i = 0; i < 32; ++i) {
        std::uint64_t value = numbers.interesting();
        // Half of them floats near each other, single or double.
        if (numbers.one_in(4)) value = 0x3f80'0000'3f80'0000 ^ (numbers.next() & 0x80ff'ffff'80ff'ffff);
        if (numbers.one_in(4)) value = 0x3ff0'0000'0000'0000 ^ (numbers.next() & 0x803f'ffff'ffff'ffff);
        put(160 + i * 8, value);
    }
    for (auto& half : trial.before.ymm_high)
        for (auto& word : half) word = numbers.interesting();
}

bool is_string(const Parsed& parsed) {
    return parsed.instruction.meta.category == ZYDIS_CATEGORY_STRINGOP;
}

/// Moves a register so that the memory operand lies at `place`, if there is one that can be moved.
void aim(Trial& trial,
         const ZydisDecodedOperand& operand,
         const ZydisDecodedInstruction& in,
         std::uint64_t place) {
    const auto number = [](ZydisRegister name) { return static_cast<std::size_t>(ZydisRegisterGetId(name)); };
    const bool has_index = operand.mem.index != ZYDIS_REGISTER_NONE &&
                           ZydisRegisterGetClass(operand.mem.index) != ZYDIS_REGCLASS_XMM &&
                           ZydisRegisterGetClass(operand.mem.index) != ZYDIS_REGCLASS_YMM;
    std::uint64_t rest = static_cast<std::uint64_t>(operand.mem.disp.value);
    if (operand.mem.base == ZYDIS_REGISTER_NONE) return;
    if (operand.mem.base == ZYDIS_REGISTER_RIP || operand.mem.base == ZYDIS_REGISTER_EIP) {
        const std::uint64_t next = trial.before.rip + in.length;
        const auto disp = static_cast<std::uint32_t>(place - next);
        std::memcpy(trial.code.data() + in.raw.disp.offset, &disp, 4);
        return;
    }
    if (has_index && operand.mem.index == operand.mem.base) return;
    if (has_index) {
        // A small index, so that scale and sum are exercised.
        std::uint64_t& index = trial.before.gpr[number(operand.mem.index)];
        index &= 0x1f;
        rest += index * operand.mem.scale;
    }
    trial.before.gpr[number(operand.mem.base)] = place - rest;
}

void make_registers(Numbers& numbers, Trial& trial, const Parsed& parsed) {
    UserState& state = trial.before;
    for (auto& reg : state.gpr) reg = numbers.interesting();
    state.gpr[4] = layout::window + 256 + (numbers.below(512) & ~7ULL);
    if (numbers.one_in(16)) state.gpr[4] += numbers.below(8);
    if (numbers.one_in(2)) state.gpr[5] = layout::window + 256 + (numbers.below(512) & ~7ULL);
    if (is_string(parsed)) {
        state.gpr[6] = operand_place(numbers);
        state.gpr[7] = operand_place(numbers);
        state.gpr[1] = numbers.below(12);
    }
    // Counts and divisors that matter.
    if (numbers.one_in(3)) state.gpr[1] = numbers.below(70);
    if (numbers.one_in(4)) state.gpr[2] = numbers.below(4);
    for (std::size_t i = 0; i < parsed.instruction.operand_count; ++i) {
        const ZydisDecodedOperand& operand = parsed.operands[i];
        if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY &&
            operand.visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN &&
            operand.mem.type != ZYDIS_MEMOP_TYPE_AGEN)
            aim(trial, operand, parsed.instruction, operand_place(numbers));
    }
    if (trial.size != CodeSize::bits_64)
        for (std::size_t i = 0; i < 16; ++i) state.gpr[i] = i < 8 ? state.gpr[i] & 0xffff'ffff : 0;
    state.rflags = 0x202 | (numbers.next() & 0xcd5);
    if (numbers.one_in(20)) state.rflags |= 1 << 18;
}

/// The status flags that the manual leaves undefined after this instruction.
std::uint64_t undefined_flags(const Parsed& parsed) {
    if (parsed.instruction.cpu_flags == nullptr) return 0;
    return parsed.instruction.cpu_flags->undefined & 0x8d5;
}

void note(std::string& text, const char* what, std::uint64_t before, std::uint64_t host, std::uint64_t ours) {
    std::array<char, 160> line{};
    std::snprintf(line.data(),
                  line.size(),
                  "  %s: before %llx, host %llx, ours %llx\n",
                  what,
                  static_cast<unsigned long long>(before),
                  static_cast<unsigned long long>(host),
                  static_cast<unsigned long long>(ours));
    text += line.data();
}

std::uint64_t word_at(const FxsaveImage& image, std::size_t at, std::size_t bytes) {
    std::uint64_t value = 0;
    std::memcpy(&value, image.data() + at, bytes);
    return value;
}

/// The parts of the image that are architectural for a program: not where the last x87 instruction and
/// operand lay, which makers keep differently.
void compare_floats(const Trial& trial, const UserState& host, const UserState& ours, std::string& text) {
    const auto compare =
        [&](const std::string& what, std::size_t at, std::size_t bytes, std::uint64_t mask = ~0ULL) {
            const std::uint64_t a = word_at(host.fxsave, at, bytes) & mask,
                                b = word_at(ours.fxsave, at, bytes) & mask;
            if (a != b) note(text, what.c_str(), word_at(trial.before.fxsave, at, bytes) & mask, a, b);
        };
    compare("FCW", 0, 2);
    compare("FSW", 2, 2);
    compare("FTW", 4, 1);
    compare("MXCSR", 24, 4);
    for (std::size_t i = 0; i < 8; ++i) {
        compare("ST" + std::to_string(i) + " significand", 32 + i * 16, 8);
        compare("ST" + std::to_string(i) + " exponent", 40 + i * 16, 2);
    }
    const std::size_t vectors = trial.size == CodeSize::bits_64 ? 16 : 8;
    for (std::size_t i = 0; i < vectors; ++i) {
        compare("XMM" + std::to_string(i) + " low", 160 + i * 16, 8);
        compare("XMM" + std::to_string(i) + " high", 168 + i * 16, 8);
        for (std::size_t k = 0; k < 2; ++k)
            if (host.ymm_high[i][k] != ours.ymm_high[i][k])
                note(text,
                     ("YMM" + std::to_string(i) + " quadword " + std::to_string(2 + k)).c_str(),
                     trial.before.ymm_high[i][k],
                     host.ymm_high[i][k],
                     ours.ymm_high[i][k]);
    }
}

/// Outcomes that the manual leaves open, and in which processors of different makers are known to differ.
bool makers_differ(const Trial& trial, const Parsed& parsed, const Result& host, const Result& ours) {
    const bool both_fault = host.vector != Result::no_fault && ours.vector != Result::no_fault;
    switch (parsed.instruction.mnemonic) {
        // Which of two operands that both fault is looked at first.
        case ZYDIS_MNEMONIC_CMPSB:
        case ZYDIS_MNEMONIC_CMPSW:
        case ZYDIS_MNEMONIC_CMPSD:
        case ZYDIS_MNEMONIC_CMPSQ:
        // Which of their many words is.
        case ZYDIS_MNEMONIC_FLDENV:
        case ZYDIS_MNEMONIC_FNSTENV:
        // Whether the target or the stack is.
        case ZYDIS_MNEMONIC_CALL: return both_fault;
        // What was pushed before the last check failed.
        case ZYDIS_MNEMONIC_ENTER: return both_fault && host.vector == ours.vector;
        // The result of 16 bits if the count is greater.
        case ZYDIS_MNEMONIC_SHLD:
        case ZYDIS_MNEMONIC_SHRD: {
            const ZydisDecodedOperand& count = parsed.operands[2];
            const std::uint64_t value =
                count.type == ZYDIS_OPERAND_TYPE_IMMEDIATE ? count.imm.value.u : trial.before.gpr[1];
            return parsed.instruction.operand_width == 16 && (value & 31) > 16;
        }
        // 0F 0D with a register: reserved no operations of Intel's.
        case ZYDIS_MNEMONIC_NOP: return parsed.instruction.opcode == 0x0d && host.vector == 6;
        default: return false;
    }
}

/// FCOMI and its like with an unmasked invalid operation: Intel's manual has the flags unchanged, AMD sets
/// them.
bool is_unmasked_comparison(const Parsed& parsed, const Result& ours) {
    const std::string_view name = name_of(parsed.instruction.mnemonic);
    return (name.substr(0, 5) == "fcomi" || name.substr(0, 6) == "fucomi") &&
           (word_at(ours.after.fxsave, 2, 2) & 0x80) != 0;
}

bool faults_differ(const Result& host, const Result& ours) {
    if (host.vector != ours.vector) return true;
    if (host.vector == Result::no_fault) return false;
    if (host.vector == 14 && host.fault_address != ours.fault_address) return true;
    const bool has_code =
        host.vector == 14 || host.vector == 13 || host.vector == 12 || host.vector == 11 || host.vector == 17;
    // Of addresses in its half the host's kernel says "present" whatever is there.
    const std::uint32_t hidden = host.vector == 14 && host.fault_address >> 63 != 0 ? 1 : 0;
    return has_code && (host.error_code | hidden) != (ours.error_code | hidden);
}

/// What the manual leaves to each processor, or has otherwise than the makers of some hosts.
bool may_differ(const Parsed& parsed, const Result& host, const Result& ours) {
    bool has_memory = false;
    bool has_wide_memory = false;
    bool has_mmx = false;
    for (std::size_t i = 0; i < parsed.instruction.operand_count_visible; ++i) {
        const ZydisDecodedOperand& operand = parsed.operands[i];
        has_memory = has_memory || operand.type == ZYDIS_OPERAND_TYPE_MEMORY;
        has_wide_memory =
            has_wide_memory || (operand.type == ZYDIS_OPERAND_TYPE_MEMORY && operand.size >= 128);
        has_mmx = has_mmx || (operand.type == ZYDIS_OPERAND_TYPE_REGISTER &&
                              ZydisRegisterGetClass(operand.reg.value) == ZYDIS_REGCLASS_MMX);
    }
    // "An alignment-check exception may or may not be generated": SDM "MOVUPS", of 16 bytes and more.
    if (has_wide_memory && (host.vector == 17) != (ours.vector == 17)) return true;
    // Whether a fault of an MMX instruction comes before its transition to MMX is not said.
    if (has_mmx && host.vector != Result::no_fault && host.vector == ours.vector) return true;
    // Traps of lanes that have been gathered come in lieu of the next one's fault (SDM "VGATHERDPS"), and
    // trials are single-stepped on the host.
    if (parsed.instruction.meta.isa_set == ZYDIS_ISA_SET_AVX2GATHER && host.vector == Result::no_fault &&
        ours.vector != Result::no_fault && host.after.rip == ours.after.rip)
        return true;
    // SDM "SHA1MSG1" and its kin: an operand in memory must be aligned. Zen does not ask for it.
    if (parsed.instruction.meta.isa_set == ZYDIS_ISA_SET_SHA && host.vector != 13 && ours.vector == 13)
        return true;
    switch (parsed.instruction.mnemonic) {
        // The manual bounds the error of these.
        case ZYDIS_MNEMONIC_RCPPS:
        case ZYDIS_MNEMONIC_RCPSS:
        case ZYDIS_MNEMONIC_RSQRTPS:
        case ZYDIS_MNEMONIC_RSQRTSS:
        case ZYDIS_MNEMONIC_VRCPPS:
        case ZYDIS_MNEMONIC_VRCPSS:
        case ZYDIS_MNEMONIC_VRSQRTPS:
        case ZYDIS_MNEMONIC_VRSQRTSS: return true;
        // SDM: a transition to MMX, whatever the source. AMD: none with a source in memory.
        case ZYDIS_MNEMONIC_CVTPI2PS: return has_memory;
        default: return false;
    }
}

}  // namespace

std::uint64_t Numbers::next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_ * 0x2545'f491'4f6c'dd1dULL;
}

std::uint64_t Numbers::interesting() {
    static constexpr std::uint64_t edges[] = {0,
                                              1,
                                              ~0ULL,
                                              1ULL << 63,
                                              (1ULL << 63) - 1,
                                              0x8000'0000,
                                              0x7fff'ffff,
                                              0xffff'ffff,
                                              0x8000,
                                              0x7fff,
                                              0x80,
                                              0x7f,
                                              0xffff'ffff'8000'0000};
    switch (below(4)) {
        case 0: return edges[below(std::size(edges))];
        case 1: return below(300);
        case 2: return next() >> below(64);
        default: return next();
    }
}

std::optional<Trial> draw(Numbers& numbers, const Choice& choice) {
    Trial trial;
    trial.size = choice.size;
    Parsed parsed;
    // Bytes that decode, of the kind that is asked for.
    bool found = false;
    for (int attempt = 0; attempt < 64 && !found; ++attempt) {
        trial.code = random_code(numbers, choice.size);
        if (!parse(choice.size, trial.code, parsed)) continue;
        if (is_excluded(parsed)) continue;
        const std::string_view name = name_of(parsed.instruction.mnemonic);
        const std::string_view set = ZydisISASetGetString(parsed.instruction.meta.isa_set);
        found = (choice.only.empty() || name == choice.only) &&
                (choice.set.empty() || set.substr(0, choice.set.size()) == choice.set);
    }
    if (!found) return std::nullopt;
    trial.code_bytes = parsed.instruction.length;
    trial.repeats = (parsed.instruction.attributes &
                     (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE)) != 0;
    // At times the last byte is the page's last.
    trial.before.rip =
        numbers.one_in(16) ? layout::code + layout::page - trial.code_bytes : layout::code_start;
    for (auto& byte : trial.window)
        byte = static_cast<std::uint8_t>(numbers.one_in(3) ? numbers.interesting() : numbers.next());
    make_floats(numbers, trial);
    make_registers(numbers, trial, parsed);
    return trial;
}

std::string mnemonic(const Trial& trial) {
    Parsed parsed;
    if (!parse(trial.size, {trial.code.data(), trial.code_bytes}, parsed)) return "(bad)";
    return std::string{name_of(parsed.instruction.mnemonic)};
}

std::string disassembly(const Trial& trial) {
    Parsed parsed;
    std::string text;
    for (std::size_t i = 0; i < trial.code_bytes; ++i) {
        std::array<char, 4> byte{};
        std::snprintf(byte.data(), byte.size(), "%02x ", trial.code[i]);
        text += byte.data();
    }
    if (!parse(trial.size, {trial.code.data(), trial.code_bytes}, parsed)) return text + "(bad)";
    ZydisFormatter formatter;
    ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
    std::array<char, 192> line{};
    ZydisFormatterFormatInstruction(&formatter,
                                    &parsed.instruction,
                                    parsed.operands.data(),
                                    parsed.instruction.operand_count_visible,
                                    line.data(),
                                    line.size(),
                                    trial.before.rip,
                                    nullptr);
    return text + line.data();
}

std::string difference(const Trial& trial, const Result& host, const Result& ours) {
    Parsed parsed;
    std::string text;
    if (!parse(trial.size, {trial.code.data(), trial.code_bytes}, parsed)) return text;
    if (makers_differ(trial, parsed, host, ours) || may_differ(parsed, host, ours)) return text;
    if (faults_differ(host, ours)) {
        note(text, "vector", Result::no_fault, host.vector, ours.vector);
        note(text, "error code", 0, host.error_code, ours.error_code);
        note(text, "fault address", 0, host.fault_address, ours.fault_address);
    }
    // Without RF: in the frame of a fault it is set.
    const std::uint64_t flags = ~undefined_flags(parsed) & ~(1ULL << 16);
    if ((host.after.rflags & flags) != (ours.after.rflags & flags) && !is_unmasked_comparison(parsed, ours))
        note(text, "RFLAGS", trial.before.rflags, host.after.rflags, ours.after.rflags);
    if (host.after.rip != ours.after.rip) note(text, "RIP", trial.before.rip, host.after.rip, ours.after.rip);
    const bool bits_64 = trial.size == CodeSize::bits_64;
    static constexpr const char* names[] = {"RAX",
                                            "RCX",
                                            "RDX",
                                            "RBX",
                                            "RSP",
                                            "RBP",
                                            "RSI",
                                            "RDI",
                                            "R8",
                                            "R9",
                                            "R10",
                                            "R11",
                                            "R12",
                                            "R13",
                                            "R14",
                                            "R15"};
    for (std::size_t i = 0; i < (bits_64 ? 16 : 8); ++i) {
        const std::uint64_t mask = bits_64 ? ~0ULL : 0xffff'ffff;
        if ((host.after.gpr[i] & mask) != (ours.after.gpr[i] & mask))
            note(text, names[i], trial.before.gpr[i], host.after.gpr[i], ours.after.gpr[i]);
    }
    compare_floats(trial, host.after, ours.after, text);
    for (std::size_t i = 0; i < host.window.size(); ++i)
        if (host.window[i] != ours.window[i]) {
            note(text,
                 ("byte " + std::to_string(i) + " of the window").c_str(),
                 trial.window[i],
                 host.window[i],
                 ours.window[i]);
            break;
        }
    return text;
}

}  // namespace hyperstep::native
