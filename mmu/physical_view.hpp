#pragma once
#include <cstdint>
#include <tl/expected.hpp>

#include "base/address.hpp"
#include "mmu/guest_memory.hpp"
#include "mmu/walk.hpp"

namespace hyperstep::mmu {

/// Whether a translation leaves its traces: accessed and dirty flags of every stage, watched tables.
enum class Effect : std::uint8_t {
    update,
    none  ///< for debuggers and the like: nothing changes
};

/// What is asked of the second stage.
struct SecondStageRequest {
    /// Which access of a translation it is.
    enum class Purpose : std::uint8_t {
        paging_structure,  ///< to an entry: a read, or a write that sets flags
        final_page         ///< to the address that the first stage gave
    };
    Gpa address{};
    Access access = Access::read;
    Purpose purpose = Purpose::final_page;
    Effect effect = Effect::update;
    // Of the final page, what the first stage grants. All set without paging.
    bool user_page = true;
    bool writable_page = true;
    bool executable = true;
};

/// The second stage refused. Its owner knows what `reason` means and turns it into an exit.
struct SecondStageFault {
    std::uint64_t reason = 0;
    SecondStageRequest request{};
};

/// Where the second stage has a page.
struct SecondStagePage {
    Hpa address{};  ///< of the requested byte
    /// A union of Access: those to the 4 KiB around it that need not be asked for, as they would be permitted
    /// and set no flag.
    std::uint8_t accesses = every_access;

    static constexpr std::uint8_t every_access = 7;
};

/// Translates what the guest believes is memory: EPT, stage 2.
class SecondStage {
public:
    SecondStage() = default;
    SecondStage(const SecondStage&) = delete;
    SecondStage& operator=(const SecondStage&) = delete;
    virtual ~SecondStage() = default;
    virtual tl::expected<SecondStagePage, SecondStageFault> translate(const SecondStageRequest& request) = 0;
};

/// Physical memory as a page walk sees it: behind a second stage, or as it is.
class PhysicalView {
public:
    /// Whether the tables of a translation are watched, so that a TLB never holds a stale one.
    enum class Tables : std::uint8_t { watched, unwatched };

    /// `second_stage` null: a Gpa is the Hpa of the same number.
    explicit PhysicalView(GuestMemory& memory,
                          SecondStage* second_stage = nullptr,
                          Tables tables = Tables::watched)
        : memory_{memory}, second_stage_{second_stage}, tables_{tables} {}

    GuestMemory& memory() const { return memory_; }
    /// Each Hpa is masked by it: with bit 20 clear, A20M# is asserted. All ones at first.
    void mask_addresses(std::uint64_t mask) { mask_ = mask; }

    tl::expected<SecondStagePage, SecondStageFault> translate(const SecondStageRequest& request) const;

    struct Entry {
        std::uint64_t value = 0;
        Hpa place{};
    };
    /// Reads a paging-structure entry of 4 or 8 bytes, naturally aligned.
    tl::expected<Entry, SecondStageFault> read_entry(Gpa slot, unsigned bytes, Effect effect) const;
    /// Replaces `expected` by `desired` as one locked operation, for accessed and dirty flags. False: the
    /// entry holds another value.
    tl::expected<bool, SecondStageFault> update_entry(Gpa slot,
                                                      unsigned bytes,
                                                      std::uint64_t expected,
                                                      std::uint64_t desired) const;
    /// Watches the page of an entry, if tables are watched.
    void watch(Hpa entry, Watch what) const;

private:
    GuestMemory& memory_;
    SecondStage* second_stage_;
    Tables tables_;
    std::uint64_t mask_ = ~0ULL;
};

}  // namespace hyperstep::mmu
