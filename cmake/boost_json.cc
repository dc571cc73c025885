// Boost.JSON's own code, compiled once for the whole program: Debian's libboost1.81-dev brings the
// headers alone. Link boost_json and include <boost/json.hpp> in a .cc; nobody else includes src.hpp.
#include <boost/json/src.hpp>
