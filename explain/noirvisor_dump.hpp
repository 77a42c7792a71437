#pragma once
#include <optional>

#include "explain/draft.hpp"

namespace hyperstep::explain {

/// NoirVisor's dump of the guest-state area: "Guest CS Segment - Selector: 0x10  Access-Rights: 0x209B ...".
class NoirVisorDumps : public Collector {
public:
    explicit NoirVisorDumps(DumpStore& store) : store_{store} {}
    bool take(const Record& record) override;
    void finish() override;

private:
    bool take_failure(std::string_view text, const Record& record);
    bool take_state(std::string_view text, const Record& record);

    DumpStore& store_;
    std::optional<Draft> draft_;
};

}  // namespace hyperstep::explain
