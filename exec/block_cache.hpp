#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/address.hpp"
#include "mmu/guest_memory.hpp"

namespace hyperstep::exec {

/// Decoded instructions that follow each other in memory, up to a branch or the end of a page.
template <class Op>
struct Block {
    std::uint64_t key = 0;  ///< 0: no longer valid
    const Op* ops = nullptr;
    std::uint32_t count = 0;  ///< instructions
    std::uint32_t bytes = 0;  ///< of code
    /// Of a block whose one instruction crosses into another page: the page in which it ends. Otherwise ~0.
    std::uint64_t second_page = ~0ULL;
    /// A block that ran after this one, when its address and the reader's epoch were these. No epoch is 0.
    struct Link {
        const Block* block = nullptr;
        std::uint64_t address = 0;
        std::uint64_t epoch = 0;
    };
    /// Two, as a conditional branch has; the newer first.
    mutable std::array<Link, 2> links{};
};

/// The decoded blocks of one machine, by physical address and decoding mode. A write to a page that holds
/// decoded code drops the page's blocks, whoever writes. Transparent: without it the same instructions run.
template <class Op>
class BlockCache final : public mmu::PageWatcher {
public:
    static constexpr std::size_t most_ops_in_block = 64;

    explicit BlockCache(mmu::GuestMemory& memory) : memory_{memory}, slots_(slot_count) {
        memory_.add_watcher(*this);
        clear();
    }
    ~BlockCache() override { memory_.remove_watcher(*this); }

    /// `mode` is 0 to 7: what else the decoding depends on.
    static std::uint64_t key_of(Hpa address, unsigned mode) { return address.raw() << 3 | mode | 1ULL << 63; }

    /// The block that begins there; null: none is known.
    const Block<Op>* find(std::uint64_t key) const {
        const Block<Op>* block = slots_[slot_of(key)];
        return block != nullptr && block->key == key ? block : nullptr;
    }

    /// Keeps a block. `ops` is copied. Its pages are watched from now on. The result is valid until the next
    /// call of insert() or clear(); after that pointers from find() are to be used.
    const Block<Op>* insert(std::uint64_t key,
                            std::span<const Op> ops,
                            std::uint32_t bytes,
                            Hpa page,
                            std::uint64_t second_page) {
        if (ops_.size() + ops.size() > arena_size || blocks_.size() == block_count) clear();
        // Neither container ever grows beyond what is reserved, so pointers into them stay.
        const auto place = ops_.insert(ops_.end(), ops.begin(), ops.end());
        blocks_.push_back({.key = key,
                           .ops = &*place,
                           .count = static_cast<std::uint32_t>(ops.size()),
                           .bytes = bytes,
                           .second_page = second_page});
        Block<Op>* block = &blocks_.back();
        slots_[slot_of(key)] = block;
        remember(page, block);
        if (second_page != ~0ULL) remember(Hpa{second_page}, block);
        return block;
    }

    /// Forgets everything.
    void clear() {
        ops_.clear();
        ops_.reserve(arena_size);
        blocks_.clear();
        blocks_.reserve(block_count);
        std::fill(slots_.begin(), slots_.end(), nullptr);
        by_page_.clear();
        ++generation_;
    }

    /// Changes whenever a block becomes invalid.
    std::uint64_t generation() const { return generation_; }

    void page_changes(Hpa page, std::uint8_t watches) override {
        if ((watches & static_cast<std::uint8_t>(mmu::Watch::code)) == 0) return;
        const auto found = by_page_.find(page.page_number());
        if (found == by_page_.end()) return;
        for (Block<Op>* block : found->second) {
            if (slots_[slot_of(block->key)] == block) slots_[slot_of(block->key)] = nullptr;
            block->key = 0;
        }
        by_page_.erase(found);
        ++generation_;
    }
    void page_needs_announcing(Hpa /*page*/) override {}
    /// Code is decoded from RAM and ROM alone; what lay there may be something else now.
    void regions_changed() override { clear(); }

private:
    static constexpr std::size_t slot_count = 1U << 16;
    static constexpr std::size_t block_count = 1U << 17;
    static constexpr std::size_t arena_size = 1U << 20;

    static std::size_t slot_of(std::uint64_t key) { return (key ^ key >> 19) % slot_count; }
    void remember(Hpa page, Block<Op>* block) {
        by_page_[page.page_number()].push_back(block);
        memory_.watch(page.page_start(), mmu::Watch::code);
    }

    mmu::GuestMemory& memory_;
    std::vector<Block<Op>*> slots_;
    std::vector<Block<Op>> blocks_;
    std::vector<Op> ops_;
    std::unordered_map<std::uint64_t, std::vector<Block<Op>*>> by_page_;
    std::uint64_t generation_ = 1;
};

}  // namespace hyperstep::exec
