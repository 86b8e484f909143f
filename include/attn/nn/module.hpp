#pragma once

#include <attn/autograd/apply.hpp>
#include <attn/autograd/named_parameter.hpp>
#include <attn/core/state_dict.hpp>
#include <attn/nn/into.hpp>
#include <string_view>

namespace attn {
inline namespace ATTN_ABI {

namespace detail {

/// Token ids that a layer is called with beside a tape: constants of that tape. Other arguments
/// pass unchanged.
template <class T, class X>
const X& on_tape(Tape<T>&, const X& x) {
  return x;
}
template <class T, int N>
Variable<Index, N> on_tape(Tape<T>& tape, const Tensor<Index, N>& ids) {
  return tape.constant(ids);
}

/// Errors: OptionError for a weight that cannot be rounded.
template <class T>
void expect_finite(const Tensor<T, 2>& weight) {
  const T* const end = weight.data() + weight.size();
  const T* const bad =
      std::find_if(weight.data(), end, [](T value) { return !std::isfinite(value); });
  if (bad != end)
    throw OptionError("store_weights: the weights must be finite, not " + std::to_string(*bad));
}

}  // namespace detail

/// Base of every layer. A layer says once what its parts are, parameters and layers alike, by
/// PyTorch's names,
///
///   static constexpr const char* kind = "Linear";
///   template <class Self, class Visitor>
///   static void visit(Self& self, Visitor&& visitor) {
///     visitor("weight", self.weight);
///     visitor("norm1", self.norm1);
///   }
///
/// from which parameter names, the state dict and its loading follow; and once what it computes,
///
///   template <class Self, class X>
///   static auto forward(Self& self, const X& x) { return …; }
///
/// which `layer(x)` calls with tensors, or with variables, which record it. The parameters get
/// gradients if the layer is not const (see Tape). A layer of token ids is recorded as
/// `layer(tape, ids)`.
template <class Layer, class T>
class Module {
 public:
  template <class... Inputs>
  auto operator()(Inputs&&... inputs) const {
    return Layer::forward(layer(), std::forward<Inputs>(inputs)...);
  }
  template <class... Inputs>
  auto operator()(Inputs&&... inputs) {
    return Layer::forward(layer(), std::forward<Inputs>(inputs)...);
  }
  template <class... Inputs>
  auto operator()(Tape<T>& tape, Inputs&&... inputs) const {
    return Layer::forward(layer(), detail::on_tape(tape, inputs)...);
  }
  template <class... Inputs>
  auto operator()(Tape<T>& tape, Inputs&&... inputs) {
    return Layer::forward(layer(), detail::on_tape(tape, inputs)...);
  }

  /// Writes `layer(inputs…)` to the caller's memory, a tensor or a view. After a first call with
  /// the same shapes on the same thread, nothing is allocated from the heap.
  /// Errors: ShapeError if the output has not the shape of the result, or overlaps an input.
  template <class Output, class... Inputs>
  void into(Output&& output, const Inputs&... inputs) const {
    const auto to = view(output);
    (detail::expect_apart(Layer::kind, to, inputs), ...);
    detail::compute_into(Layer::kind, to, [&] { return (*this)(inputs...); });
  }

  /// Initializes the parameters of every part that is a layer. Layers with parameters of their own
  /// have an `initialize` of their own.
  void initialize(Random& random) {
    Layer::visit(layer(), [&](const auto&, auto& part) {
      if constexpr (requires { part.initialize(random); }) part.initialize(random);
    });
  }

  /// Stores the weights of products and the tables of embeddings as products read them, in fewer
  /// bits or as floats, which takes less memory and less time: from then on the layer is for
  /// inference, and their values cannot be asked for. Biases, norms and learned positions stay as
  /// they are. Errors: OptionError for weights that are not finite, or are stored already; the
  /// layer is then unchanged.
  void store_weights(Storage storage) {
    layer().for_each_weight([](auto& weight) { detail::expect_finite(weight.value()); });
    layer().for_each_weight([&](auto& weight) { weight.store(storage); });
  }
  /// Products with weights that are stored in 8 or 4 bits round their inputs, the activations, to
  /// integers of 8 bits, with a scale for 32 neighbors of a row, and multiply integers: about twice
  /// as fast for 4 bits, and less exact. Nothing is rounded after `round_activations(nullopt)`, as
  /// by default. Other weights are not concerned, and results do not depend on the number of rows
  /// or threads. Errors: OptionError for another storage than int8.
  void round_activations(std::optional<Storage> storage) {
    if (storage && *storage != Storage::int8)
      throw OptionError("round_activations: storage = " + to_string(*storage) + " must be int8");
    layer().for_each_weight([&](auto& weight) { weight.round_activations(storage.has_value()); });
  }
  /// f(weight) for the weights of products and the tables of embeddings. Layers that have some of
  /// their own have a `for_each_weight` of their own.
  template <class F>
  void for_each_weight(F&& f) {
    Layer::visit(layer(), [&](const auto&, auto& part) {
      if constexpr (requires { part.for_each_weight(f); }) part.for_each_weight(f);
    });
  }

  /// Every parameter, in the order of the model.
  std::vector<NamedParameter<T>> parameters() { return collect<T>(layer()); }
  std::vector<NamedParameter<const T>> parameters() const { return collect<const T>(layer()); }

  /// The number of elements of all parameters.
  Index num_parameters() const {
    Index count = 0;
    for_each_parameter(layer(), "",
                       [&](const auto&, const auto& p) { count += checked_size(p.shape()); });
    return count;
  }

  /// A copy of every parameter.
  StateDict<T> state_dict() const {
    StateDict<T> state;
    for (const auto& p : parameters()) state.set(p.name, p.shape, p.value);
    return state;
  }

  /// Loads the parameters from the entries of `source` whose names begin with `prefix`, which must
  /// be exactly those of this layer. A source may have `stored(name)`, an optional StoredMatrix:
  /// weights that it has so are kept so, see store_weights.
  /// Errors: ShapeError naming every missing, unexpected and misshapen entry; what the source
  /// throws for a value that T cannot hold. The layer is then unchanged.
  template <StateSource<T> Source>
  void load_state_dict(const Source& source, std::string_view prefix = "") {
    std::vector<std::pair<std::string, std::vector<Index>>> wanted;
    for_each_parameter(layer(), "", [&](const std::string& name, const auto& p) {
      wanted.emplace_back(name, std::vector<Index>(p.shape().begin(), p.shape().end()));
    });
    detail::expect_entries(
        std::string(Layer::kind) + ": the state dict must have exactly this layer's entries",
        source, prefix, wanted);
    if constexpr (requires { source.template check<T>(std::string()); })
      for (const auto& [name, shape] : wanted) source.template check<T>(std::string(prefix) + name);
    std::vector<const void*> weights;
    layer().for_each_weight([&](const auto& weight) {
      weight.expect_value();
      weights.push_back(&weight);
    });
    for_each_parameter(layer(), "", [&](const std::string& name, auto& p) {
      const bool is_weight = std::find(weights.begin(), weights.end(), &p) != weights.end();
      load_parameter(source, std::string(prefix) + name, p, is_weight);
    });
  }

 private:
  const Layer& layer() const { return static_cast<const Layer&>(*this); }
  Layer& layer() { return static_cast<Layer&>(*this); }

  /// Takes a weight as the source stores it, if products can keep it so, or else its values.
  template <class Source, int N>
  static void load_parameter(const Source& source, const std::string& name, Parameter<T, N>& p,
                             [[maybe_unused]] bool is_weight) {
    if constexpr (N == 2 && requires { source.stored(name); })
      if (is_weight)
        if (auto stored = source.stored(name)) return p.store(std::move(*stored));
    Tensor<T, N>& value = p.overwrite();
    source.read(name, std::span<T>(value.data(), static_cast<std::size_t>(value.size())));
  }

  template <class U, class Self>
  static std::vector<NamedParameter<U>> collect(Self& self) {
    std::vector<NamedParameter<U>> result;
    for_each_parameter(self, "",
                       [&](const std::string& name, auto& p) { result.emplace_back(name, p); });
    return result;
  }
  /// f(full name, parameter) for every parameter of a layer.
  template <class Self, class F>
  static void for_each_parameter(Self& self, const std::string& prefix, const F& f) {
    std::remove_const_t<Self>::visit(self, [&](const std::string& name, auto& part) {
      if constexpr (IsParameter<decltype(part)>) f(prefix + name, part);
      else for_each_parameter(part, prefix + name + ".", f);
    });
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
