#pragma once

#include <attn/autograd/parameter.hpp>
#include <attn/autograd/variable.hpp>
#include <attn/core/random.hpp>
#include <attn/core/workspace.hpp>
#include <memory>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

namespace detail {

/// The recorded steps, whatever the scalar type.
class AnyTape {
 public:
  AnyTape(const AnyTape&) = delete;
  AnyTape& operator=(const AnyTape&) = delete;

  Random* random() const { return random_; }

  template <class T, int N>
  Variable<T, N> leaf(std::shared_ptr<const Tensor<T, N>> x,
                      std::shared_ptr<Gradient<T, N>> gradient) {
    return {self_, std::move(x), std::move(gradient), -1};
  }
  /// The result y of an operation. `back(dy)` accumulates the gradients of its inputs.
  template <class T, int N, class Back>
  Variable<T, N> step(std::shared_ptr<const Tensor<T, N>> y, Back back) {
    const bool records_anew = first_ > 0 && steps_.empty();
    if (records_anew) workspace_.release_unused();
    auto gradient = std::make_shared<Gradient<T, N>>(y->shape());
    steps_.push_back(std::make_unique<Recorded<T, N, Back>>(gradient, std::move(back)));
    const Index number = first_ + static_cast<Index>(steps_.size()) - 1;
    return {self_, std::move(y), std::move(gradient), number};
  }

  template <class T, int N>
  void expect_usable(const Variable<T, N>& x, const char* what) const {
    if (of(x) != this) throw Error("Tape: an operation needs variables of one tape");
    if (x.step_ >= 0 && x.step_ < first_)
      throw Error(std::string("Tape: ") + what +
                  " needs variables that were computed since the last backward pass, which frees "
                  "the steps that it has differentiated");
  }
  /// Errors: Error if the tape has ended.
  template <class T, int N>
  static AnyTape* of(const Variable<T, N>& x) {
    if (!*x.tape_)
      throw Error("Tape: a variable " + to_string(x.shape()) +
                  " must be used while its tape exists, which has ended");
    return *x.tape_;
  }

 protected:
  AnyTape() = default;
  explicit AnyTape(Random& random) : random_(&random) {}
  ~AnyTape() { *self_ = nullptr; }

  template <class T, int N>
  void run_backward(const Variable<T, N>& y, const Tensor<T, N>& cotangent) {
    if (y.step_ < 0)
      throw Error("Tape: backward needs the result of an operation, not a leaf variable");
    expect_usable(y, "backward");
    first_ += static_cast<Index>(steps_.size());
    y.shared_gradient()->add(cotangent);
    for (auto steps = std::move(steps_); !steps.empty(); steps.pop_back()) steps.back()->back();
  }

 private:
  struct Step {
    virtual ~Step() = default;
    virtual void back() = 0;
  };
  template <class T, int N, class Back>
  struct Recorded final : Step {
    Recorded(std::shared_ptr<Gradient<T, N>> gradient, Back the_back)
        : dy(std::move(gradient)), run(std::move(the_back)) {}
    void back() override {
      if (dy->empty()) return;
      const bool held = dy.use_count() > 1;  // somebody may read the gradient of this variable
      run(held ? dy->sum() : dy->take());
    }
    std::shared_ptr<Gradient<T, N>> dy;
    Back run;
  };

  Workspace workspace_;  // one training step computes in the memory of the step before
  Random* random_ = nullptr;
  std::shared_ptr<AnyTape*> self_ = std::make_shared<AnyTape*>(this);  // shared with its variables
  std::vector<std::unique_ptr<Step>> steps_;
  Index first_ = 0;  // the number of the first of them, counted over the life of the tape
};

}  // namespace detail

/// Records the operations that are applied to variables, and differentiates them in reverse order:
/// reverse-mode automatic differentiation [Linnainmaa70; Griewank08 §3.2].
///
///   attn::Tape<float> tape{random};           // dropout acts and draws from `random`
///   const auto x = tape.variable(tensor);     // layers and functions take variables and tensors
///   const auto loss = cross_entropy(model(x), targets);
///   tape.backward(loss);                      // x.grad(), and p.grad of all model.parameters()
///
/// Without a Random dropout does not act. An operation has the size of a kernel. Gradients
/// accumulate: over all uses of a variable, and over backward passes until they are cleared.
/// `backward` frees each step after it has been differentiated; the tape is then empty and records
/// anew. The parameters of a layer get gradients if the layer is not const; a const layer is
/// frozen, and gradients pass through it. The tape must outlive the operations on its variables,
/// and parameters must not change between forward and backward pass. One thread makes, uses and
/// destroys a tape. A tape is a Workspace: the thread keeps the memory of a training step for the
/// next.
/// Errors: ShapeError for a cotangent of another shape; Error for a tensor that was not computed
/// from variables, for variables of two tapes in one operation, and for a variable whose step has
/// been freed or whose tape has ended.
template <class T>
class Tape : public detail::AnyTape {
 public:
  Tape() = default;
  explicit Tape(Random& random) : AnyTape(random) {}

  template <int N>
  Variable<T, N> variable(Tensor<T, N> x) {
    auto gradient = std::make_shared<Gradient<T, N>>(x.shape());
    return leaf(std::make_shared<const Tensor<T, N>>(std::move(x)), std::move(gradient));
  }
  /// A tensor that needs no gradient, of scalars or of token ids.
  template <class U, int N>
  Variable<U, N> constant(Tensor<U, N> x) {
    return leaf<U, N>(std::make_shared<const Tensor<U, N>>(std::move(x)), nullptr);
  }
  /// A parameter in place, whose own gradient is accumulated. It must not move until backward has
  /// run. A const parameter is a constant.
  template <int N>
  Variable<T, N> parameter(Parameter<T, N>& p) {
    return leaf<T, N>({std::shared_ptr<void>(), &p.value()},
                      {std::shared_ptr<void>(), &p.gradient()});
  }
  template <int N>
  Variable<T, N> parameter(const Parameter<T, N>& p) {
    return leaf<T, N>({std::shared_ptr<void>(), &p.value()}, nullptr);
  }

  /// dL/dx of every variable x, for L = Σ y ∘ cotangent.
  template <int N>
  void backward(const Variable<T, N>& y, const std::type_identity_t<Tensor<T, N>>& cotangent) {
    if (of(y) != this) throw Error("Tape: backward needs a variable of this tape, not of another");
    if (!y.needs_gradient())
      throw Error(
          "Tape: backward needs the result of an operation on variables, or on parameters of "
          "layers that are not const");
    if (cotangent.shape() != y.shape())
      throw ShapeError("Tape: the cotangent " + to_string(cotangent.shape()) +
                       " must have the shape of the variable to differentiate, " +
                       to_string(y.shape()));
    run_backward(y, cotangent);
  }
  /// The same for a scalar L.
  void backward(const Variable<T, 1>& L) {
    if (L.value().size() != 1)
      throw ShapeError("Tape: backward needs a scalar, or a cotangent for each element of " +
                       to_string(L.shape()));
    Tensor<T, 1> one({1});
    one(0) = T(1);
    backward(L, one);
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
