#pragma once

#include <attn/autograd/parameter.hpp>
#include <attn/autograd/variable.hpp>
#include <attn/core/random.hpp>
#include <memory>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// Records what is computed from variables, and goes back over it: reverse-mode differentiation
/// [Linnainmaa70; Griewank08 §3.2].
///
///   attn::Tape<float> tape{random};           // with a Random dropout acts, and draws from it;
///   without one it never does const auto x = tape.variable(tensor);     // layers and functions
///   take variables where they take tensors const auto loss = cross_entropy(model(x), targets);
///   tape.backward(loss);                      // x.grad(), and p.grad of every p in
///   model.parameters()
///
/// One operation of the size of a kernel is one step. Gradients add up, of a variable that is used
/// twice and from one backward to the next. `backward` frees each step as it goes; the tape is then
/// empty, for more to be recorded, from variables that were not computed before. A layer must not
/// be const for its parameters to get gradients: a const layer is frozen, gradients pass through
/// it. One thread records. The tape must outlive the use of its variables, and parameters stay as
/// they are from forward to backward.
/// Errors: ShapeError for a cotangent of another shape; Error for what was not computed from
/// variables, for variables of two tapes in one operation, and for what has been gone back over
/// before.
template <class T>
class Tape {
 public:
  Tape() = default;
  explicit Tape(Random& random) : random_(&random) {}
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// What dropout draws from; null where it does not act.
  Random* random() const { return random_; }

  template <int N>
  Variable<T, N> variable(Tensor<T, N> x) {
    auto gradient = std::make_shared<Gradient<T, N>>(x.shape());
    return {this, std::make_shared<const Tensor<T, N>>(std::move(x)), std::move(gradient)};
  }
  /// What needs no gradient.
  template <int N>
  Variable<T, N> constant(Tensor<T, N> x) {
    return {this, std::make_shared<const Tensor<T, N>>(std::move(x)), nullptr};
  }
  /// A parameter where it is, with its own gradient; it must stay there until backward has run. A
  /// const one is a constant.
  template <int N>
  Variable<T, N> parameter(Parameter<T, N>& p) {
    return {this, where_it_is(p.value()), {std::shared_ptr<void>(), &p.gradient()}};
  }
  template <int N>
  Variable<T, N> parameter(const Parameter<T, N>& p) {
    return {this, where_it_is(p.value()), nullptr};
  }

  /// dL/dx of every variable x, L = Σ y ∘ cotangent.
  template <int N>
  void backward(const Variable<T, N>& y, const std::type_identity_t<Tensor<T, N>>& cotangent) {
    if (&y.tape() != this)
      throw Error("Tape: backward needs a variable of this tape, not of another");
    if (!y.needs_gradient())
      throw Error(
          "Tape: backward needs what was computed from variables or from the parameters of layers "
          "that are not const");
    if (cotangent.shape() != y.shape())
      throw ShapeError("Tape: the cotangent " + to_string(cotangent.shape()) +
                       " must have the shape of what backward starts from, " +
                       to_string(y.shape()));
    if (y.step_ < 0)
      throw Error(
          "Tape: backward needs what was computed from variables, not a variable to begin with");
    expect_recorded(y, "backward");
    first_ += static_cast<Index>(steps_.size());
    y.gradient()->add(cotangent);
    for (auto steps = std::move(steps_); !steps.empty(); steps.pop_back()) steps.back()->back();
  }
  /// The same for a single number L.
  void backward(const Variable<T, 1>& L) {
    if (L.value().size() != 1)
      throw ShapeError("Tape: backward needs a single number, or a cotangent for each of " +
                       to_string(L.shape()));
    Tensor<T, 1> one({1});
    one(0) = T(1);
    backward(L, one);
  }

  /// y, computed from `inputs`, some of which may be optional ones that are not there, and how
  /// dL/dy goes on: `back(dy)` adds to the inputs' gradients, where there are any. It is forgotten
  /// at once where no input needs a gradient; it should hold on to no more than it uses.
  template <int N, class Back, class... Inputs>
  Variable<T, N> record(std::shared_ptr<const Tensor<T, N>> y, Back back, const Inputs&... inputs) {
    (expect_here(inputs), ...);
    if (!(needs_gradient(inputs) || ...)) return {this, std::move(y), nullptr};
    auto gradient = std::make_shared<Gradient<T, N>>(y->shape());
    steps_.push_back(std::make_unique<Recorded<N, Back>>(gradient, std::move(back)));
    return {this, std::move(y), std::move(gradient),
            first_ + static_cast<Index>(steps_.size()) - 1};
  }
  template <int N, class Back, class... Inputs>
  Variable<T, N> record(Tensor<T, N> y, Back back, const Inputs&... inputs) {
    return record(std::make_shared<const Tensor<T, N>>(std::move(y)), std::move(back), inputs...);
  }

 private:
  template <class Input>
  static bool needs_gradient(const Input& input) {
    if constexpr (requires { input.has_value(); }) return input && input->needs_gradient();
    else return input.needs_gradient();
  }
  template <class Input>
  void expect_here(const Input& input) const {
    if constexpr (requires { input.has_value(); }) {
      if (input) expect_here(*input);
    } else if constexpr (is_variable<Input>) {
      if (&input.tape() != this) throw Error("Tape: an operation needs variables of one tape");
      expect_recorded(input, "an operation");
    }
  }
  template <int N>
  void expect_recorded(const Variable<T, N>& x, const char* what) const {
    if (x.step_ >= 0 && x.step_ < first_)
      throw Error(std::string("Tape: ") + what +
                  " needs variables that were computed since the last backward; each step is gone "
                  "back over once, and freed");
  }

  struct Step {
    virtual ~Step() = default;
    virtual void back() = 0;
  };
  template <int N, class Back>
  struct Recorded final : Step {
    Recorded(std::shared_ptr<Gradient<T, N>> gradient, Back the_back)
        : dy(std::move(gradient)), run(std::move(the_back)) {}
    void back() override {
      if (dy->empty()) return;
      const bool wanted = dy.use_count() > 1;  // somebody holds the variable
      run(wanted ? dy->sum() : dy->take());
    }
    std::shared_ptr<Gradient<T, N>> dy;
    Back run;
  };

  template <int N>
  static std::shared_ptr<const Tensor<T, N>> where_it_is(const Tensor<T, N>& x) {
    return {std::shared_ptr<void>(), &x};
  }

  Random* random_ = nullptr;
  std::vector<std::unique_ptr<Step>> steps_;
  Index first_ = 0;  // the number of the first of them, of all that there have been
};

/// Instead of a tape: nothing is recorded.
struct Inference {};

/// A layer's parameter as what stands beside x: its value beside a tensor, on the tape beside a
/// variable, or a tape itself.
template <class X, class T, int N>
  requires(!is_variable<X>)
const Tensor<T, N>& beside(const X&, const Parameter<T, N>& p) {
  return p.value();
}
/// One that a layer may be without as well.
template <class T, int M, class P>
auto beside(const Variable<T, M>& x, P& p) {
  if constexpr (requires { p.has_value(); })
    return p ? std::optional(x.tape().parameter(*p)) : std::nullopt;
  else return x.tape().parameter(p);
}
template <class T, class P>
auto beside(Tape<T>& tape, P& p) {
  return tape.parameter(p);
}
/// Of a parameter that a layer may be without.
template <class X, class T, int N>
  requires(!is_variable<X>)
std::optional<TensorView<const T, N>> beside(const X&, const std::optional<Parameter<T, N>>& p) {
  if (!p) return std::nullopt;
  return p->value().view();
}

/// What an operation of variables and tensors is recorded on.
template <class X, class... Others>
auto& tape_of(const X& x, const Others&... others) {
  if constexpr (is_variable<X>) return x.tape();
  else return tape_of(others...);
}
/// A tensor beside variables is a constant.
template <class T, int N>
const Variable<T, N>& on_tape(Tape<T>&, const Variable<T, N>& x) {
  return x;
}
template <class T, class X>
auto on_tape(Tape<T>& tape, const X& x) {
  return tape.constant(to_tensor(x));
}

}  // namespace ATTN_ABI
}  // namespace attn
