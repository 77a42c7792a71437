#pragma once
#include <optional>

#include "explain/guest_view.hpp"

namespace hyperstep::explain {

/// Prints of KVM_GET_SREGS (and the RIP and RFLAGS of KVM_GET_REGS): gdb's, Rust's and Go's of the structure,
/// and what virtual-machine monitors print themselves, as long as they name segments and attributes.
class SregsDumps : public Collector {
public:
    explicit SregsDumps(DumpStore& store) : store_{store} {}
    bool take(const Record& record) override;
    void finish() override;

private:
    /// A number whose base is decided when all have been seen.
    struct Raw {
        Number hex;
        std::optional<std::uint64_t> decimal;
    };
    struct Segment {
        std::optional<Raw> base, limit, selector, type, present, dpl, db, s, l, g, avl, unusable;
    };

    bool take_failure(std::string_view text, const Record& record);
    void word(std::string_view word, const Record& record);
    void number(std::string_view text, char next, const Record& record);
    static std::optional<Raw>* attribute(Segment& segment, std::string_view name);
    static bool is_attribute(std::string_view name);
    std::optional<Raw>* top_level(std::string_view name);
    void open(const Record& record);
    void enter(std::size_t segment, const Record& record);
    bool keeps_order(std::string_view name);
    bool whole_segment() const;
    std::optional<std::uint64_t> value(const std::optional<Raw>& raw) const;
    SegmentView view_of(const Segment& segment) const;

    DumpStore& store_;
    std::optional<Draft> draft_;
    std::array<Segment, 10> segments_;
    std::optional<Raw> cr0_, cr4_, efer_, rip_, rsp_, rflags_;
    bool bare_hex_ = false;  // numbers without 0x are hexadecimal

    // where the words have led to
    std::optional<std::size_t> candidate_, segment_;
    std::string key_;
    bool in_braces_ = false;       // the segment is a printed structure
    std::size_t next_member_ = 0;  // of it
    bool at_start_ = true;         // nothing, a value or a separator stands before the next word
    bool awaiting_ = false;
    bool assigned_ = false;
};

}  // namespace hyperstep::explain
