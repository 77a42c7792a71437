#include <Zydis/Zydis.h>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "cpu/decode.hpp"
#include "tests/cpu/bare_machine.hpp"

// Every form of an encoding that Zydis decodes, of the instruction sets that are written here, has a handler.
namespace hyperstep::cpu {
namespace {

/// What Zydis calls the sets of SIMD instructions. Of FXSAVE, MXCSR and prefetching, others are in charge.
bool is_of_these_sets(const ZydisDecodedInstruction& instruction) {
    static const std::set<std::string> sets{"PENTIUMMMX",
                                            "SSE",
                                            "SSE2",
                                            "SSE2MMX",
                                            "SSE3",
                                            "SSSE3",
                                            "SSSE3MMX",
                                            "SSE4",
                                            "SSE42",
                                            "AES",
                                            "PCLMULQDQ",
                                            "SHA",
                                            "AVX",
                                            "AVX2",
                                            "AVX2GATHER",
                                            "AVXAES",
                                            "F16C",
                                            "FMA"};
    static const std::set<std::string> others{"crc32", "lfence", "mfence", "sfence", "vldmxcsr", "vstmxcsr"};
    return sets.count(ZydisISASetGetString(instruction.meta.isa_set)) != 0 &&
           others.count(ZydisMnemonicGetString(instruction.mnemonic)) == 0;
}

Model with_every_feature() {
    Model model = model_max();
    model.features.set();
    return model;
}

/// The forms without a handler: the first of each name, as bytes.
class Missing {
public:
    void look_at(const std::vector<std::uint8_t>& bytes) {
        ZydisDecoder decoder;
        ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
        ZydisDecodedInstruction instruction;
        ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
        if (!ZYAN_SUCCESS(
                ZydisDecoderDecodeFull(&decoder, bytes.data(), bytes.size(), &instruction, operands)))
            return;
        if (!is_of_these_sets(instruction)) return;
        ++seen_;
        const Decoded decoded = decode(model_, DecodeMode::long_64, std::as_bytes(std::span{bytes}));
        static const Handler undefined =
            decode(model_, DecodeMode::long_64, std::as_bytes(std::span{ud2})).op.run;
        if (decoded.op.run != undefined) return;
        std::ostringstream text;
        text << std::hex;
        for (std::size_t i = 0; i < instruction.length; ++i) text << ' ' << unsigned{bytes[i]};
        forms_.emplace(ZydisMnemonicGetString(instruction.mnemonic), text.str());
    }
    const std::map<std::string, std::string>& forms() const { return forms_; }
    unsigned seen() const { return seen_; }

private:
    /// 0F FF with a register: never an instruction of a set that this test looks at.
    static constexpr std::array<std::uint8_t, 3> ud2{0x0f, 0xff, 0xc0};
    Model model_ = with_every_feature();
    std::map<std::string, std::string> forms_;
    unsigned seen_ = 0;
};

/// Registers 1; memory [RCX]; of VSIB [RCX + vector 2].
constexpr std::uint8_t rm_forms[] = {0xc1, 0x01, 0x04};

void put_operands(std::vector<std::uint8_t>& bytes, unsigned reg, std::uint8_t rm) {
    bytes.push_back(static_cast<std::uint8_t>(rm | reg << 3U));
    if (rm == 0x04) bytes.push_back(0x11);
    bytes.resize(15, 0x30);
}

TEST(SimdCoverage, EveryLegacyForm) {
    Missing missing;
    constexpr std::uint8_t prefixes[] = {0, 0x66, 0xf3, 0xf2};
    for (unsigned map = 0; map < 3; ++map)
        for (const std::uint8_t prefix : prefixes)
            for (unsigned rex = 0; rex < 2; ++rex)
                for (unsigned opcode = 0; opcode < 256; ++opcode)
                    for (unsigned reg = 0; reg < 8; ++reg)
                        for (const std::uint8_t rm : rm_forms) {
                            std::vector<std::uint8_t> bytes;
                            if (prefix != 0) bytes.push_back(prefix);
                            if (rex != 0) bytes.push_back(0x48);
                            bytes.push_back(0x0f);
                            if (map != 0) bytes.push_back(map == 1 ? 0x38 : 0x3a);
                            bytes.push_back(static_cast<std::uint8_t>(opcode));
                            put_operands(bytes, reg, rm);
                            missing.look_at(bytes);
                        }
    EXPECT_EQ(missing.forms(), (std::map<std::string, std::string>{}));
    EXPECT_GT(missing.seen(), 15'000U);
}

TEST(SimdCoverage, EveryVexForm) {
    Missing missing;
    for (unsigned map = 1; map < 4; ++map)
        for (unsigned choice = 0; choice < 32; ++choice)
            for (unsigned opcode = 0; opcode < 256; ++opcode)
                for (unsigned reg = 0; reg < 8; ++reg)
                    for (const std::uint8_t rm : rm_forms) {
                        const unsigned w = choice >> 4U & 1U;
                        const unsigned pp_l = choice & 7U;
                        const unsigned vvvv = (choice & 8U) != 0 ? 0x60 : 0x78;
                        std::vector<std::uint8_t> bytes{0xc4,
                                                        static_cast<std::uint8_t>(0xe0 | map),
                                                        static_cast<std::uint8_t>(w << 7U | vvvv | pp_l),
                                                        static_cast<std::uint8_t>(opcode)};
                        put_operands(bytes, reg, rm);
                        missing.look_at(bytes);
                    }
    EXPECT_EQ(missing.forms(), (std::map<std::string, std::string>{}));
    EXPECT_GT(missing.seen(), 15'000U);
}

}  // namespace
}  // namespace hyperstep::cpu
