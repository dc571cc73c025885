# latchkey_layer(NAME SOURCES a.cc … [TESTS a_test.cc …] [LINKS public …] [PRIVATE_LINKS …])
#
# One static library for the folder, and one GoogleTest binary over its tests. The source lists are
# explicit: a file that nobody lists is a file that nobody builds.
function(latchkey_layer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;TESTS;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(latchkey_${name} STATIC ${ARG_SOURCES})
  target_include_directories(latchkey_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(latchkey_${name} PUBLIC ${ARG_LINKS} PRIVATE ${ARG_PRIVATE_LINKS})
  if(ARG_TESTS AND NOT LATCHKEY_FUZZ)
    add_executable(${name}_test ${ARG_TESTS})
    target_include_directories(${name}_test PRIVATE ${CMAKE_SOURCE_DIR})
    target_link_libraries(${name}_test PRIVATE latchkey_${name} ${ARG_PRIVATE_LINKS}
                          GTest::gtest GTest::gmock GTest::gtest_main)
    add_test(NAME ${name}_test COMMAND ${name}_test)
  endif()
endfunction()
