# hs_layer(<folder> [USES <rooms below>] [LINKS <libraries, for our .cpp files only>])
# One room, one library, one direction. cli/main.cpp belongs to the executable, not to the room's library.
# The room's headers are a header set: each must compile on its own (target hs_<room>_verify_interface_header_sets).
add_library(hs_warnings INTERFACE)
target_compile_options(hs_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
                                             -Wnon-virtual-dtor -Woverloaded-virtual -Wno-comment)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(hs_warnings INTERFACE -Wno-restrict)  # g++ 12 gives it wrongly for "text" + std::string
endif()

function(hs_layer folder)
  cmake_parse_arguments(ARG "" "" "USES;LINKS" ${ARGN})
  string(REPLACE "/" "_" name ${folder})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cpp)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.hpp)
  list(FILTER sources EXCLUDE REGEX "/cli/main\\.cpp$")
  if(folder STREQUAL "vmx")  # vmx/rules is a room of its own
    list(FILTER sources EXCLUDE REGEX "/vmx/rules/")
    list(FILTER headers EXCLUDE REGEX "/vmx/rules/")
  endif()
  if(sources)
    add_library(hs_${name} STATIC ${sources})
    # libhyperstep-rules is made of the same objects.
    set_target_properties(hs_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    set(scope PUBLIC)
    target_link_libraries(hs_${name} PRIVATE hs_warnings ${ARG_LINKS})
  else()
    add_library(hs_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(hs_${name} ${scope} ${PROJECT_SOURCE_DIR})
  if(headers)
    target_sources(hs_${name} ${scope} FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${headers})
  endif()
  list(TRANSFORM ARG_USES REPLACE "/" "_")
  list(TRANSFORM ARG_USES PREPEND hs_)
  target_link_libraries(hs_${name} ${scope} ${ARG_USES})
endfunction()
