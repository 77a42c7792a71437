#include "cpu/intercepts.hpp"

#include "cpu/cpu.hpp"

namespace hyperstep::cpu {

Outcome intercept_slow(Cpu& cpu, InterceptPoint point, const InterceptDetails& details) {
    if (cpu.intercepts->instruction(cpu, point, details) == Verdict::intervene) return intercepted();
    return {};
}

}  // namespace hyperstep::cpu
