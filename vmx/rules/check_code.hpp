#pragma once
#include <span>

#include "vmx/rules/entry_check.hpp"
#include "vmx/rules/msr_vocabulary.hpp"
#include "vmx/rules/vocabulary.hpp"

// The predicates of the entry checks for a view of type V. Include it only where a kind of view is put to
// work: each inclusion compiles every predicate.
namespace hyperstep::vmx {

template <class V>
struct CheckCode {
    typename V::Bool (*applies)(const V&);
    typename V::Bool (*holds)(const V&);
};

namespace check_code_detail {
using namespace vocabulary;
using enum Slot;

template <class V>
inline constexpr auto table = std::to_array<CheckCode<V>>({
#define CHECK(id, section, outcome, when, rule, reads, applies, holds) \
    {[]([[maybe_unused]] const V& v) -> typename V::Bool {             \
         [[maybe_unused]] typedef typename V::Word W;                  \
         return applies;                                               \
     },                                                                \
     []([[maybe_unused]] const V& v) -> typename V::Bool {             \
         [[maybe_unused]] typedef typename V::Word W;                  \
         return holds;                                                 \
     }},
#include "vmx/rules/entry_checks/all.def"
#undef CHECK
});
}  // namespace check_code_detail

/// Condition and rule of each check, in the order of all_checks().
template <class V>
std::span<const CheckCode<V>> check_code() {
    return check_code_detail::table<V>;
}

}  // namespace hyperstep::vmx
