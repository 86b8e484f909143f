#pragma once

#include <algorithm>
#include <attn/core/tensor.hpp>
#include <span>
#include <string>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// Base of files of named tensors, whose values are read on demand and converted. The file has
/// `shape(name)`, `values_of(name)`, from which `read` and `check` take the values, and
/// `where(name)`, which begins the sentence of an error.
/// Errors: those of the file; FileError if a value is lost by conversion; ShapeError if the number
/// of axes or of values is another.
template <class File>
class TensorFile {
 public:
  /// `file.get<float, 2>("weight")`, converted to T.
  template <class T, int N>
  Tensor<T, N> get(const std::string& name) const {
    const auto values = file().values_of(name);
    const std::vector<Index>& stored = file().shape(name);
    if (stored.size() != static_cast<std::size_t>(N))
      throw ShapeError(file().where(name) + " must have the number of axes that is asked for, " +
                       std::to_string(N) + ", but has the shape " + to_string(stored));
    Shape<N> shape;
    std::copy(stored.begin(), stored.end(), shape.begin());
    auto result = Tensor<T, N>::for_overwrite(shape);
    values.read(std::span<T>(result.data(), static_cast<std::size_t>(result.size())),
                file().where(name));
    return result;
  }

  /// All values in row-major order, whatever the shape: also of a scalar, which has no axes.
  template <class T>
    requires(!std::is_same_v<T, bool>)
  std::vector<T> values(const std::string& name) const {
    const auto values = file().values_of(name);
    std::vector<T> result(static_cast<std::size_t>(checked_size(file().shape(name), sizeof(T))));
    values.read(std::span<T>(result), file().where(name));
    return result;
  }

  /// Fills a span of as many values as the shape has. Where it throws, the span holds values before
  /// the one that is lost.
  template <class T>
  void read(const std::string& name, std::span<T> to) const {
    const auto values = file().values_of(name);
    if (static_cast<Index>(to.size()) != checked_size(file().shape(name)))
      throw ShapeError(file().where(name) + " must be read into as many values as its shape " +
                       to_string(file().shape(name)) + " has, not " + std::to_string(to.size()));
    values.read(to, file().where(name));
  }
  /// Throws where reading the whole entry as T would.
  template <class T>
  void check(const std::string& name) const {
    file().values_of(name).template check<T>(file().where(name));
  }

 private:
  const File& file() const { return static_cast<const File&>(*this); }
};

}  // namespace ATTN_ABI
}  // namespace attn
