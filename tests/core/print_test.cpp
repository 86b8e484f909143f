#include <gtest/gtest.h>

#include <attn/core/nested.hpp>
#include <attn/core/print.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace {

using attn::Index;
using attn::Shape;
using attn::Tensor;

template <class T>
std::string printed(const T& tensor) {
  std::ostringstream out;
  out << tensor;
  return out.str();
}

// One array of tests/data/numpy_prints.txt; make_numpy_prints.py explains the format.
struct Case {
  std::string dtype, extents, how, text;
  std::vector<std::string> values;

  template <class T>
  static T parse(const std::string& text) {
    if constexpr (std::is_same_v<T, float>) return std::strtof(text.c_str(), nullptr);
    else if constexpr (std::is_same_v<T, double>) return std::strtod(text.c_str(), nullptr);
    else return static_cast<T>(std::strtoll(text.c_str(), nullptr, 10));
  }

  template <class T, int N>
  std::string print() const {
    Shape<N> shape{};
    std::istringstream in(extents);
    for (Index& extent : shape) {
      in >> extent;
      in.ignore();
    }
    Tensor<T, N> tensor(shape);
    for (Index i = 0; i < tensor.size(); ++i) {
      if (how == "values") {
        tensor.data()[i] = parse<T>(values.at(static_cast<std::size_t>(i)));
      } else {
        const T first = parse<T>(values.at(0)), difference = parse<T>(values.at(1));
        tensor.data()[i] = static_cast<T>(first + static_cast<T>(i) * difference);
      }
    }
    return printed(tensor);
  }

  template <class T>
  std::string print() const {
    switch (std::count(extents.begin(), extents.end(), ',')) {
      case 0: return print<T, 1>();
      case 1: return print<T, 2>();
      case 2: return print<T, 3>();
      default: return print<T, 4>();
    }
  }

  std::string print() const {
    if (dtype == "float32") return print<float>();
    if (dtype == "float64") return print<double>();
    if (dtype == "int64") return print<std::int64_t>();
    if (dtype == "int32") return print<std::int32_t>();
    if (dtype == "int8") return print<std::int8_t>();
    if (dtype == "uint8") return print<std::uint8_t>();
    if (dtype == "bool") return print<bool>();
    return "unknown dtype: " + dtype;
  }
};

std::vector<Case> numpy_prints() {
  std::ifstream file(ATTN_TESTS_DATA "/numpy_prints.txt");
  std::vector<Case> cases;
  for (std::string line; std::getline(file, line);) {
    std::istringstream in(line);
    Case c;
    in >> c.dtype >> c.extents >> c.how;
    for (std::string value; in >> value;) c.values.push_back(value);
    std::getline(file, line);
    for (int left = std::atoi(line.c_str()); left > 0 && std::getline(file, line); --left)
      c.text += line + (left > 1 ? "\n" : "");
    cases.push_back(c);
  }
  return cases;
}

TEST(Print, AsNumPyPrints) {
  const std::vector<Case> cases = numpy_prints();
  ASSERT_GT(cases.size(), 400u) << "tests/data/numpy_prints.txt is incomplete";
  for (const Case& c : cases) EXPECT_EQ(c.print(), c.text) << c.dtype << " (" << c.extents << ")";
}

TEST(Print, AMatrix) {
  EXPECT_EQ(printed(attn::tensor<float>({{1, 0.5f}, {-2.25f, 100}})),
            "[[  1.     0.5 ]\n [ -2.25 100.  ]]");
}

TEST(Print, AViewPrintsItsElementsAlone) {
  const Tensor<double, 2> x = attn::tensor<double>({{1, 2, 300}, {4, 5, 600}});
  EXPECT_EQ(printed(x.slice(1, 0, 2)), "[[1. 2.]\n [4. 5.]]")
      << "elements outside of the view do not widen the columns";
  EXPECT_EQ(printed(x[1]), "[  4.   5. 600.]");
  Tensor<double, 2> y = x;
  EXPECT_EQ(printed(y.view()), printed(x));
}

TEST(Print, TheFormatOfALargeTensorDependsOnTheShownElementsAlone) {
  Tensor<float, 1> x({2000});
  x(3) = 1e-30f;
  x(1000) = 12345;
  EXPECT_EQ(printed(x), "[0. 0. 0. ... 0. 0. 0.]");
}

}  // namespace
