#include "cpu/fetch.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "cpu/decode.hpp"
#include "cpu/execute.hpp"
#include "cpu/translation.hpp"

namespace hyperstep::cpu {
namespace {

using Block = exec::Block<Op>;
constexpr std::uint64_t page_bytes = 4096;
constexpr std::size_t longest_instruction = 15;

std::uint64_t fetch_address(const Cpu& cpu) {
    if (cpu.mode == Mode::long_64) return cpu.state.rip;
    return (cpu.state.segment[cs].base + cpu.state.rip) & 0xffff'ffff;
}

/// How many bytes of code may be fetched from RIP on, by limit or canonicality: 0 is #GP(0).
std::uint64_t fetchable_bytes(const Cpu& cpu) {
    const std::uint64_t rip = cpu.state.rip;
    if (cpu.mode == Mode::long_64) {
        if (!is_canonical(cpu, rip)) return 0;
        const std::uint64_t half = 1ULL << (cpu.cr4()[Cr4::la57] ? 56 : 47);
        return rip < half ? half - rip : 0 - rip == 0 ? page_bytes : std::max<std::uint64_t>(0 - rip, 1);
    }
    const std::uint64_t limit = cpu.state.segment[cs].limit;
    return rip > limit ? 0 : limit - rip + 1;
}

/// Copies bytes of a page that instructions are fetched from: from RAM or ROM, or from whatever else is
/// there.
void copy_code(Cpu& cpu, const PageHandle& page, std::uint64_t offset, std::span<std::byte> to) {
    if (page.host != nullptr) {
        std::memcpy(to.data(), page.host + offset, to.size());
        return;
    }
    for (std::size_t i = 0; i < to.size(); ++i)
        to[i] = static_cast<std::byte>(cpu.memory.read(page.frame + offset + i, 1));
}

/// Instructions decoded one after another, before they become a block.
struct Decoding {
    std::array<Op, exec::BlockCache<Op>::most_ops_in_block> ops;
    std::size_t count = 0;
    std::uint32_t bytes = 0;
};

/// Decodes from the front of `code` on until a block must end. Nothing is decoded if the first instruction
/// goes on behind `code`.
void decode_within(
    Cpu& cpu, DecodeMode mode, std::span<const std::byte> code, std::size_t most, Decoding& to) {
    while (to.count < most && to.bytes < code.size()) {
        const Decoded decoded = decode(cpu.model, mode, code.subspan(to.bytes));
        if (decoded.status == Decoded::Status::more_bytes) return;
        to.ops[to.count++] = decoded.op;
        to.bytes += decoded.op.length;
        ++cpu.decoded;
        if (decoded.op.has(op_flag::ends_block)) return;
    }
}

/// Decodes the one instruction that begins near the end of its page. The second page is translated only if a
/// byte of it is needed.
Expected<std::uint64_t> decode_across(Cpu& cpu,
                                      DecodeMode mode,
                                      const PageHandle& first,
                                      std::uint64_t offset,
                                      std::uint64_t fetchable,
                                      Decoding& to) {
    std::array<std::byte, longest_instruction> code{};
    const std::size_t in_first = page_bytes - offset;
    if (fetchable <= in_first) return general_protection();  // the limit ends within the instruction
    const std::uint64_t next_page = (fetch_address(cpu) + in_first) & cpu.linear_mask;
    const auto second = translate_fetch(cpu, next_page);
    if (!second) return tl::unexpected{second.error()};
    const std::size_t total = std::min<std::uint64_t>(longest_instruction, fetchable);
    copy_code(cpu, first, offset, std::span{code}.first(in_first));
    copy_code(cpu, *second, 0, std::span{code}.subspan(in_first, total - in_first));
    decode_within(cpu, mode, std::span{code}.first(total), 1, to);
    if (to.count == 0) return general_protection();
    return second->host != nullptr ? second->frame.raw() : ~0ULL;
}

/// The block of an instruction that is not kept: it lives in the processor until the next fetch.
const Block* transient(Cpu& cpu, const Decoding& decoding) {
    cpu.transient_op = decoding.ops[0];
    cpu.transient_block = {.key = 0, .ops = &cpu.transient_op, .count = 1, .bytes = decoding.ops[0].length};
    return &cpu.transient_block;
}

Expected<const Block*> decode_block(
    Cpu& cpu, std::uint64_t key, const PageHandle& page, std::uint64_t offset, std::uint64_t fetchable) {
    const DecodeMode mode = decode_mode(cpu);
    const bool keep = page.host != nullptr && cpu.use_blocks;
    Decoding decoding;
    const std::size_t available = std::min(page_bytes - offset, fetchable);
    if (page.host != nullptr) {
        decode_within(cpu, mode, {page.host + offset, available}, keep ? decoding.ops.size() : 1, decoding);
    } else {
        std::array<std::byte, longest_instruction> code{};
        const std::size_t count = std::min(available, longest_instruction);
        copy_code(cpu, page, offset, std::span{code}.first(count));
        decode_within(cpu, mode, std::span{code}.first(count), 1, decoding);
    }
    std::uint64_t second_page = ~0ULL;
    if (decoding.count == 0) {
        const auto second = decode_across(cpu, mode, page, offset, fetchable, decoding);
        if (!second) return tl::unexpected{second.error()};
        second_page = *second;
        if (second_page == ~0ULL) return transient(cpu, decoding);
    }
    if (!keep) return transient(cpu, decoding);
    return cpu.blocks.insert(
        key, {decoding.ops.data(), decoding.count}, decoding.bytes, page.frame, second_page);
}

/// Whether a block that crosses into a second page still continues where it did.
Expected<bool> continues_there(Cpu& cpu, const Block& block, std::uint64_t linear) {
    const auto second = translate_fetch(cpu, ((linear | (page_bytes - 1)) + 1) & cpu.linear_mask);
    if (!second) return tl::unexpected{second.error()};
    return second->frame.raw() == block.second_page;
}

}  // namespace

DecodeMode decode_mode(const Cpu& cpu) {
    const bool has_vex = cpu.mode >= Mode::protected_;
    switch (cpu.code_bytes) {
        case 8: return DecodeMode::long_64;
        case 4: return has_vex ? DecodeMode::legacy_32 : DecodeMode::real_32;
        default: return has_vex ? DecodeMode::legacy_16 : DecodeMode::real_16;
    }
}

Expected<const Block*> fetch_block(Cpu& cpu) {
    const std::uint64_t fetchable = fetchable_bytes(cpu);
    if (fetchable == 0) return general_protection();
    const std::uint64_t linear = fetch_address(cpu);
    const auto page = translate_fetch(cpu, linear);
    if (!page) return tl::unexpected{page.error()};
    const std::uint64_t offset = linear % page_bytes;
    const std::uint64_t key =
        exec::BlockCache<Op>::key_of(page->frame + offset, static_cast<unsigned>(decode_mode(cpu)));
    const Block* block = cpu.use_blocks ? cpu.blocks.find(key) : nullptr;
    if (block != nullptr && block->bytes <= fetchable) {
        if (block->second_page == ~0ULL) return block;
        const auto same = continues_there(cpu, *block, linear);
        if (!same) return tl::unexpected{same.error()};
        // Accessed flags of the second page may lie in the instruction.
        if (*same && block->key == key) return block;
    }
    return decode_block(cpu, key, *page, offset, fetchable);
}

}  // namespace hyperstep::cpu
