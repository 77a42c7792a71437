#pragma once
#include <array>
#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tl/expected.hpp>
#include <type_traits>

// The one page walk: from the root of a radix tree of tables to the entry that maps an address. What a
// table's entries mean is a TableFormat: x86 paging, EPT, and the stages of VMSAv8 are formats.
namespace hyperstep::mmu {

/// What an access does. A read-modify-write is a write. The last two are x86's, of its shadow stacks.
enum class Access : std::uint8_t {
    read = 1,
    write = 2,
    fetch = 4,
    shadow_stack_read = 9,
    shadow_stack_write = 10
};
constexpr bool is_write(Access access) {
    return (static_cast<unsigned>(access) & static_cast<unsigned>(Access::write)) != 0;
}
constexpr bool is_shadow_stack(Access access) {
    return access == Access::shadow_stack_read || access == Access::shadow_stack_write;
}

enum class EntryKind : std::uint8_t {
    absent,    ///< maps nothing
    table,     ///< references the table of the next level
    leaf,      ///< maps a page
    malformed  ///< present, but with a reserved bit or an undefined combination
};

/// What the entries of every level must grant together. The bits' meaning is the format's.
struct Rights {
    std::uint8_t bits = 0xff;
    friend constexpr Rights operator&(Rights a, Rights b) {
        return {static_cast<std::uint8_t>(a.bits & b.bits)};
    }
    friend constexpr bool operator==(Rights a, Rights b) { return a.bits == b.bits; }
    constexpr bool has(std::uint8_t all) const { return (bits & all) == all; }
};

/// What a table format must answer: pure functions of one entry, without memory or processor. Level 0 is that
/// of the smallest pages.
template <class F>
concept TableFormat = requires(const F format, std::uint64_t word, unsigned level, Access access) {
    { format.root() } -> std::same_as<std::uint64_t>;             ///< address of the first table
    { format.top_level() } -> std::same_as<unsigned>;             ///< the level of the first table
    { format.page_shift(level) } -> std::same_as<unsigned>;       ///< address bits that one entry covers
    { format.slot(word, level) } -> std::same_as<std::uint64_t>;  ///< of an address: bytes into the table
    { format.kind(word, level) } -> std::same_as<EntryKind>;
    { format.next(word) } -> std::same_as<std::uint64_t>;         ///< the table that a table entry references
    { format.page(word, level) } -> std::same_as<std::uint64_t>;  ///< the page that a leaf maps
    { format.rights(word, level) } -> std::same_as<Rights>;       ///< of a table entry or a leaf
    /// The entry with the accessed and dirty flags that a permitted access sets in it.
    { format.marked(word, level, access) } -> std::same_as<std::uint64_t>;
};

/// One entry that a walk read.
struct Step {
    unsigned level = 0;
    std::uint64_t slot = 0;  ///< the entry's address
    std::uint64_t entry = 0;
};

/// The entries from the root to the one that ended the walk.
class Path {
public:
    static constexpr std::size_t most_steps = 5;

    constexpr void add(Step step) {
        assert(count_ < most_steps);
        steps_[count_++] = step;
    }
    constexpr std::span<const Step> steps() const { return {steps_.data(), count_}; }
    /// The last step.
    constexpr const Step& end() const { return steps_[count_ - 1]; }

    /// How the walk ended: absent, leaf or malformed.
    EntryKind ended = EntryKind::absent;
    /// Of all entries down to a leaf; without meaning if the walk ended otherwise.
    Rights rights{};

private:
    std::array<Step, most_steps> steps_{};
    std::size_t count_ = 0;
};

/// The failure of a function that reads or updates an entry.
template <class Result>
using FailureOf = typename Result::error_type;

/// Walks to the entry that maps `in`. `read(slot, level)` fetches one entry as tl::expected<std::uint64_t,
/// E>: it may itself translate `slot`, and its failure ends the walk as the walk's. Rights are judged by the
/// caller: a malformed or absent entry below comes before a right that an entry above denies.
template <TableFormat F, class ReadEntry>
constexpr auto walk(const F& format, std::uint64_t in, ReadEntry&& read)
    -> tl::expected<Path, FailureOf<std::invoke_result_t<ReadEntry&, std::uint64_t, unsigned>>> {
    Path path;
    std::uint64_t table = format.root();
    for (unsigned level = format.top_level();; --level) {
        const std::uint64_t slot = table + format.slot(in, level);
        const auto entry = read(slot, level);
        if (!entry) return tl::unexpected{entry.error()};
        path.add({level, slot, *entry});
        path.ended = format.kind(*entry, level);
        if (path.ended == EntryKind::absent || path.ended == EntryKind::malformed) return path;
        path.rights = path.rights & format.rights(*entry, level);
        if (path.ended == EntryKind::leaf) return path;
        assert(level != 0 && "a format has no tables at level 0");
        table = format.next(*entry);
    }
}

/// Where `in` is, by a path that ended at a leaf.
template <TableFormat F>
constexpr std::uint64_t translated(const F& format, const Path& path, std::uint64_t in) {
    const std::uint64_t within = (1ULL << format.page_shift(path.end().level)) - 1;
    return (format.page(path.end().entry, path.end().level) & ~within) | (in & within);
}

/// Sets the accessed and dirty flags of a permitted access, from the root down, each entry only if a flag is
/// missing. `update(step, desired)` replaces one entry as
/// tl::expected<bool, E>, false if memory holds another value by now. Returns that false: walk again.
template <TableFormat F, class UpdateEntry>
constexpr auto mark(const F& format, const Path& path, Access access, UpdateEntry&& update)
    -> std::invoke_result_t<UpdateEntry&, const Step&, std::uint64_t> {
    for (const Step& step : path.steps()) {
        const std::uint64_t desired = format.marked(step.entry, step.level, access);
        if (desired == step.entry) continue;
        const auto updated = update(step, desired);
        if (!updated || !*updated) return updated;
    }
    return true;
}

}  // namespace hyperstep::mmu
