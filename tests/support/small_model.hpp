#pragma once

#include <attn/nn/module.hpp>
#include <cstring>
#include <vector>

#include "support/tensors.hpp"

/// A module with nothing to compute: parameters of different shapes, in the order of
/// tests/data/make_optimizer_cases.py, the last within another module. Rows 7.
template <class T>
struct SmallModel : attn::Module<SmallModel<T>, T> {
  struct Inner : attn::Module<Inner, T> {
    static constexpr const char* kind = "Inner";
    attn::Parameter<T, 2> weight{{3, 4}};
    attn::Parameter<T, 1> bias{{4}};
    template <class Self, class Visitor>
    static void visit(Self& self, Visitor&& visitor) {
      visitor("weight", self.weight);
      visitor("bias", self.bias);
    }
  };
  static constexpr const char* kind = "SmallModel";
  attn::Parameter<T, 2> weight;
  attn::Parameter<T, 1> bias{{5}};
  Inner inner;

  explicit SmallModel(attn::Index rows = 7) : weight({rows, 5}) {}
  explicit SmallModel(attn::Random random, attn::Index rows = 7) : SmallModel(rows) {
    for (const auto& p : this->parameters())
      for (T& x : p.edit()) x = random.normal<T>();
  }
  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    visitor("weight", self.weight);
    visitor("bias", self.bias);
    visitor("inner", self.inner);
  }
};

template <class T>
void draw_gradients(const std::vector<attn::NamedParameter<T>>& parameters, attn::Random& random) {
  for (const auto& p : parameters)
    for (T& g : p.grad.values()) g = random.normal<T>();
}

/// All parameters, one after another.
template <class Model>
auto numbers_of(const Model& model) {
  std::vector<typename decltype(model.state_dict())::Scalar> all;
  for (const auto& p : model.parameters()) all.insert(all.end(), p.value.begin(), p.value.end());
  return all;
}
template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}
