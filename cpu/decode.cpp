#include "cpu/decode.hpp"

#include <Zydis/Zydis.h>
#include <array>
#include <optional>
#include <vector>

#include "cpu/families.hpp"
#include "cpu/state.hpp"

namespace hyperstep::cpu {
namespace {

constexpr std::size_t longest_instruction = 15;

Outcome raise_undefined_opcode(Cpu& /*cpu*/, const Op& /*op*/) {
    return undefined_opcode();
}
Outcome raise_too_long(Cpu& /*cpu*/, const Op& /*op*/) {
    return general_protection();
}

/// The rows of every family by mnemonic.
class RowTable {
public:
    RowTable() {
#define FAMILY(identifier) \
    for (const Row& row : identifier##_rows()) rows_[row.mnemonic].push_back(&row);
#include "cpu/families.def"
#undef FAMILY
    }
    std::span<const Row* const> of(ZydisMnemonic mnemonic) const {
        return rows_[mnemonic];
    }

private:
    std::array<std::vector<const Row*>, ZYDIS_MNEMONIC_MAX_VALUE + 1> rows_;
};

const RowTable& row_table() {
    static const RowTable table;
    return table;
}

ZydisDecoder decoder_for(DecodeMode mode, bool has_lzcnt, bool has_tzcnt, bool has_wbnoinvd, bool has_cet) {
    ZydisDecoder decoder;
    switch (mode) {
        case DecodeMode::real_16:
            ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_REAL_16, ZYDIS_STACK_WIDTH_16);
            break;
        case DecodeMode::legacy_16:
            ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
            break;
        case DecodeMode::real_32:
        case DecodeMode::legacy_32:
            ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
            break;
        case DecodeMode::long_64:
            ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
            break;
    }
    const auto enable = [&](ZydisDecoderMode which, bool on) {
        ZydisDecoderEnableMode(&decoder, which, static_cast<ZyanBool>(on));
    };
    enable(ZYDIS_DECODER_MODE_MPX, false);
    enable(ZYDIS_DECODER_MODE_CLDEMOTE, false);
    enable(ZYDIS_DECODER_MODE_LZCNT, has_lzcnt);
    enable(ZYDIS_DECODER_MODE_TZCNT, has_tzcnt);
    enable(ZYDIS_DECODER_MODE_WBNOINVD, has_wbnoinvd);
    enable(ZYDIS_DECODER_MODE_CET, has_cet);
    return decoder;
}

ZydisDecoder decoder_for(const Model& model, DecodeMode mode) {
    return decoder_for(mode,
                       model.has(Feature::lzcnt),
                       model.has(Feature::bmi1),
                       model.has(Feature::wbnoinvd),
                       model.has(Feature::cet_ss) || model.has(Feature::cet_ibt));
}

/// The number of an 8-bit register: AH to BH are 16 to 19.
std::uint8_t number_of_byte_register(ZydisRegister name) {
    const auto place = static_cast<std::uint8_t>(name - ZYDIS_REGISTER_AL);
    if (place < 4) return place;
    return static_cast<std::uint8_t>(place < 8 ? place + 12 : place - 4);
}

struct RegisterOperand {
    OperandKind kind = OperandKind::other;
    std::uint8_t number = 0;
};
RegisterOperand register_operand(ZydisRegister name) {
    const ZydisRegisterClass group = ZydisRegisterGetClass(name);
    const auto number = static_cast<std::uint8_t>(ZydisRegisterGetId(name));
    switch (group) {
        case ZYDIS_REGCLASS_GPR8: return {OperandKind::gpr, number_of_byte_register(name)};
        case ZYDIS_REGCLASS_GPR16:
        case ZYDIS_REGCLASS_GPR32:
        case ZYDIS_REGCLASS_GPR64: return {OperandKind::gpr, number};
        case ZYDIS_REGCLASS_X87: return {OperandKind::x87, number};
        case ZYDIS_REGCLASS_MMX: return {OperandKind::mmx, number};
        case ZYDIS_REGCLASS_XMM: return {OperandKind::xmm, number};
        case ZYDIS_REGCLASS_YMM: return {OperandKind::ymm, number};
        case ZYDIS_REGCLASS_SEGMENT: return {OperandKind::segment, number};
        case ZYDIS_REGCLASS_CONTROL: return {OperandKind::control, number};
        case ZYDIS_REGCLASS_DEBUG: return {OperandKind::debug, number};
        default: return {OperandKind::other, number};
    }
}

std::uint8_t number_of_address_register(ZydisRegister name) {
    if (name == ZYDIS_REGISTER_NONE) return no_register;
    if (name == ZYDIS_REGISTER_RIP || name == ZYDIS_REGISTER_EIP || name == ZYDIS_REGISTER_IP)
        return rip_register;
    return static_cast<std::uint8_t>(ZydisRegisterGetId(name));
}

/// A SIB byte with base 101B under mod 00B has no base, whatever REX.B and the address size. (Zydis 4.0.0
/// names R13D as the base with both a 67H prefix and REX.B.) SDM "32-Bit Addressing Forms with the SIB Byte".
bool has_no_base(const ZydisDecodedInstruction& instruction) {
    return (instruction.attributes & ZYDIS_ATTRIB_HAS_SIB) != 0 && instruction.raw.modrm.mod == 0 &&
           instruction.raw.sib.base == 5;
}

void take_memory(Op& op, const ZydisDecodedInstruction& instruction, const ZydisDecodedOperand& operand) {
    op.base = has_no_base(instruction) ? no_register : number_of_address_register(operand.mem.base);
    op.index = number_of_address_register(operand.mem.index);
    op.scale = operand.mem.scale == 8 ? 3 : static_cast<std::uint8_t>(operand.mem.scale >> 1U);
    op.segment = static_cast<std::uint8_t>(ZydisRegisterGetId(operand.mem.segment));
    op.flags |= op_flag::has_memory;
    const bool has_register = op.base != no_register || op.index != no_register;
    // A whole address in the instruction: MOV between the accumulator and memory.
    if (!has_register && operand.encoding == ZYDIS_OPERAND_ENCODING_DISP16_32_64)
        op.immediate = static_cast<std::uint64_t>(operand.mem.disp.value);
    else
        op.displacement = static_cast<std::int32_t>(has_no_base(instruction) ? instruction.raw.disp.value
                                                                             : operand.mem.disp.value);
}

void take_operand(Op& op,
                  Form& form,
                  const ZydisDecodedInstruction& instruction,
                  const ZydisDecodedOperand& operand,
                  bool& has_immediate) {
    const std::size_t place = form.operands++;
    form.bits[place] = operand.size;
    switch (operand.type) {
        case ZYDIS_OPERAND_TYPE_REGISTER: {
            const RegisterOperand reg = register_operand(operand.reg.value);
            form.kind[place] = reg.kind;
            if (place < op.reg.size()) op.reg[place] = reg.number;
            break;
        }
        case ZYDIS_OPERAND_TYPE_MEMORY:
            form.kind[place] = OperandKind::memory;
            take_memory(op, instruction, operand);
            break;
        case ZYDIS_OPERAND_TYPE_POINTER:
            form.kind[place] = OperandKind::far_pointer;
            op.immediate = operand.ptr.offset;
            op.displacement = operand.ptr.segment;
            break;
        case ZYDIS_OPERAND_TYPE_IMMEDIATE:
            form.kind[place] = operand.imm.is_relative != 0 ? OperandKind::relative : OperandKind::immediate;
            if (has_immediate)
                op.displacement = static_cast<std::int32_t>(operand.imm.value.u);
            else
                op.immediate = operand.imm.is_signed != 0 ? static_cast<std::uint64_t>(operand.imm.value.s)
                                                          : operand.imm.value.u;
            has_immediate = true;
            break;
        default: break;
    }
}

/// The segment of the source of a string instruction, and of XLAT: DS unless overridden.
std::uint8_t overridden_segment(const ZydisDecodedInstruction& instruction) {
    constexpr struct {
        ZydisInstructionAttributes attribute;
        SegmentName segment;
    } overrides[] = {
        {ZYDIS_ATTRIB_HAS_SEGMENT_CS, cs},
        {ZYDIS_ATTRIB_HAS_SEGMENT_SS, ss},
        {ZYDIS_ATTRIB_HAS_SEGMENT_DS, ds},
        {ZYDIS_ATTRIB_HAS_SEGMENT_ES, es},
        {ZYDIS_ATTRIB_HAS_SEGMENT_FS, fs},
        {ZYDIS_ATTRIB_HAS_SEGMENT_GS, gs},
    };
    for (const auto& each : overrides)
        if ((instruction.attributes & each.attribute) != 0) return each.segment;
    return ds;
}

/// Of several F2 and F3 prefixes the last counts.
unsigned last_repeat_prefix(const ZydisDecodedInstruction& instruction) {
    unsigned flag = 0;
    for (std::size_t i = 0; i < instruction.raw.prefix_count; ++i) {
        if (instruction.raw.prefixes[i].value == 0xf2) flag = op_flag::repne;
        if (instruction.raw.prefixes[i].value == 0xf3) flag = op_flag::rep;
    }
    return flag;
}

std::uint8_t flags_of(const ZydisDecodedInstruction& instruction) {
    unsigned flags = 0;
    const auto set = [&](bool condition, std::uint8_t flag) {
        if (condition) flags |= flag;
    };
    const auto has = [&](ZydisInstructionAttributes attribute) {
        return (instruction.attributes & attribute) != 0;
    };
    set(has(ZYDIS_ATTRIB_HAS_LOCK), op_flag::lock);
    set(has(ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE), op_flag::rep);
    set(has(ZYDIS_ATTRIB_HAS_REPNE), op_flag::repne);
    // With LOOPE and LOOPNE a repeat prefix is not one to Zydis; processors heed it (branches.cpp).
    if (instruction.mnemonic == ZYDIS_MNEMONIC_LOOPE || instruction.mnemonic == ZYDIS_MNEMONIC_LOOPNE)
        flags |= last_repeat_prefix(instruction);
    // Zydis keeps REX and VEX in one place.
    const bool is_legacy = instruction.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY;
    set(is_legacy && instruction.raw.rex.W != 0, op_flag::rex_w);
    if (instruction.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX) {
        set(true, op_flag::vex);
        set(instruction.raw.vex.W != 0, op_flag::rex_w);
        set(instruction.avx.vector_length == 256, op_flag::vector_256);
    }
    return static_cast<std::uint8_t>(flags);
}

bool has_operand_size_prefix(const ZydisDecodedInstruction& instruction) {
    for (std::size_t i = 0; i < instruction.raw.prefix_count; ++i)
        if (instruction.raw.prefixes[i].value == 0x66) return true;
    return false;
}

Form form_of(const ZydisDecodedInstruction& instruction, DecodeMode mode) {
    Form form;
    form.mnemonic = static_cast<std::uint16_t>(instruction.mnemonic);
    form.operand_bytes = static_cast<std::uint8_t>(instruction.operand_width / 8);
    form.address_bytes = static_cast<std::uint8_t>(instruction.address_width / 8);
    form.code_bytes = mode == DecodeMode::long_64                                    ? 8
                      : mode == DecodeMode::real_16 || mode == DecodeMode::legacy_16 ? 2
                                                                                     : 4;
    form.opcode = instruction.opcode;
    form.has_modrm = (instruction.attributes & ZYDIS_ATTRIB_HAS_MODRM) != 0;
    form.modrm = static_cast<std::uint8_t>(instruction.raw.modrm.mod << 6U | instruction.raw.modrm.reg << 3U |
                                           instruction.raw.modrm.rm);
    form.operand_size_prefix = has_operand_size_prefix(instruction);
    form.vector_bits = instruction.avx.vector_length;
    form.flags = flags_of(instruction);
    return form;
}

/// Whether this processor may have instructions of the encoding in this mode at all.
bool encoding_exists(const ZydisDecodedInstruction& instruction, DecodeMode mode) {
    switch (instruction.encoding) {
        case ZYDIS_INSTRUCTION_ENCODING_LEGACY: return true;
        case ZYDIS_INSTRUCTION_ENCODING_VEX:
            return mode != DecodeMode::real_16 && mode != DecodeMode::real_32;
        default: return false;
    }
}

/// F3 90 is PAUSE, but with REX.B the opcode is XCHG R8, rAX, and F3 means nothing. (Zydis names both PAUSE.)
bool is_exchange_in_disguise(const ZydisDecodedInstruction& instruction) {
    return instruction.mnemonic == ZYDIS_MNEMONIC_PAUSE && instruction.raw.rex.B != 0;
}

/// The instruction decoded without its F3 prefixes.
Decoded decode_without_f3(const Model& model,
                          DecodeMode mode,
                          std::span<const std::byte> bytes,
                          const ZydisDecodedInstruction& instruction) {
    std::array<std::byte, longest_instruction> rest{};
    std::size_t count = 0;
    for (std::size_t i = 0; i < instruction.length; ++i)
        if (bytes[i] != std::byte{0xf3}) rest[count++] = bytes[i];
    Decoded decoded = decode(model, mode, std::span{rest}.first(count));
    decoded.op.length = instruction.length;
    return decoded;
}

Decoded raising(Handler handler, std::uint8_t length) {
    Decoded result;
    result.op.run = handler;
    result.op.length = length;
    result.op.flags = op_flag::ends_block;
    return result;
}

}  // namespace

Decoded decode(const Model& model, DecodeMode mode, std::span<const std::byte> bytes) {
    const ZydisDecoder decoder = decoder_for(model, mode);
    ZydisDecodedInstruction instruction;
    std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands;
    const ZyanStatus status =
        ZydisDecoderDecodeFull(&decoder, bytes.data(), bytes.size(), &instruction, operands.data());
    if (status == ZYDIS_STATUS_NO_MORE_DATA) {
        if (bytes.size() >= longest_instruction) return raising(raise_too_long, longest_instruction);
        return {.status = Decoded::Status::more_bytes, .op = {}};
    }
    if (status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG) return raising(raise_too_long, longest_instruction);
    if (!ZYAN_SUCCESS(status)) return raising(raise_undefined_opcode, 1);
    const std::uint8_t length = instruction.length;
    if (is_exchange_in_disguise(instruction)) return decode_without_f3(model, mode, bytes, instruction);
    if (!encoding_exists(instruction, mode)) return raising(raise_undefined_opcode, length);

    Op op;
    Form form = form_of(instruction, mode);
    bool has_immediate = false;
    op.segment = overridden_segment(instruction);
    for (std::size_t i = 0; i < instruction.operand_count_visible && i < form.kind.size(); ++i)
        take_operand(op, form, instruction, operands[i], has_immediate);
    op.operand_bytes = form.operand_bytes;
    op.address_bytes = form.address_bytes;
    op.length = length;
    op.flags = static_cast<std::uint8_t>(op.flags | form.flags);
    form.flags = op.flags;
    // The x87 unit keeps the last ModRM byte in its opcode register.
    const bool is_x87 = instruction.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT &&
                        instruction.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY && form.opcode >= 0xd8 &&
                        form.opcode <= 0xdf;
    if (is_x87) op.immediate = form.modrm;

    for (const Row* row : row_table().of(instruction.mnemonic)) {
        if (!model.has(row->feature)) continue;
        op.run = row->select(form);
        if (op.run == nullptr) continue;
        if (row->flow == Flow::ends) op.flags |= op_flag::ends_block;
        return {.status = Decoded::Status::ready, .op = op};
    }
    return raising(raise_undefined_opcode, length);
}

std::string disassemble(DecodeMode mode,
                        std::span<const std::byte> bytes,
                        std::uint64_t address,
                        unsigned& length) {
    const ZydisDecoder decoder = decoder_for(mode, true, true, true, true);
    ZydisDecodedInstruction instruction;
    std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands;
    length = bytes.empty() ? 0 : 1;
    if (!ZYAN_SUCCESS(
            ZydisDecoderDecodeFull(&decoder, bytes.data(), bytes.size(), &instruction, operands.data())))
        return "(bad)";
    length = instruction.length;
    ZydisFormatter formatter;
    ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
    std::array<char, 192> text{};
    if (!ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&formatter,
                                                      &instruction,
                                                      operands.data(),
                                                      instruction.operand_count_visible,
                                                      text.data(),
                                                      text.size(),
                                                      address,
                                                      nullptr)))
        return "(bad)";
    return text.data();
}

}  // namespace hyperstep::cpu
