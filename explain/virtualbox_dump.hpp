#pragma once
#include <array>
#include <optional>
#include <string>

#include "explain/draft.hpp"

namespace hyperstep::explain {

/// VirtualBox's log: the VT-x info of a guru meditation, the register lines beside it, "HM: CPU[0] ..."
/// lines.
class VirtualBoxDumps : public Collector {
public:
    explicit VirtualBoxDumps(DumpStore& store) : store_{store} {}
    bool take(const Record& record) override;
    void finish() override;

private:
    struct Segment {
        std::optional<Number> selector, base, limit, flags;
    };
    bool take_info(std::string_view text, const Record& record);
    bool take_control_line(std::string_view text, const Record& record);
    bool take_segment(std::string_view text, const Record& record);
    void failed(std::string_view message);
    void begin(const Record& record);

    DumpStore& store_;
    std::optional<Draft> draft_;
    std::array<Segment, 8> segments_;  // ES to GS, LDTR, TR
    std::optional<bool> real_on_v86_;
    std::optional<Number> cr0_;
    bool vtx_ = false;  // something that only VT-x's part of a log says
};

}  // namespace hyperstep::explain
