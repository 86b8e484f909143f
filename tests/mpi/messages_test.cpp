#include <gmock/gmock.h>

#include <attn/mpi/messages.hpp>
#include <attn/mpi/rank_threads.hpp>
#include <attn/mpi/together.hpp>
#include <new>
#include <numeric>

#include "mpi/ranks.hpp"
#include "support/expect_error.hpp"

namespace {

using attn::Index;
using attn::mpi::Together;
using attn::mpi::World;

/// An element whose value names its sender, its receiver and its place.
struct Element {
  Index from, to, place;
  bool operator==(const Element&) const = default;
};

std::vector<Element> elements(Index from, Index to, Index count) {
  std::vector<Element> all;
  for (Index i = 0; i < count; ++i) all.push_back({from, to, i});
  return all;
}

/// How many elements rank r sends to rank q: none, few, or more than a message of 1000 bytes holds.
Index count_of(Index r, Index q) { return (r + 2 * q) % 3 * 71; }

TEST(World, CountsItsRanks) {
  EXPECT_GE(ranks().rank(), 0);
  EXPECT_LT(ranks().rank(), ranks().size());
  const World self = ranks().self();
  EXPECT_EQ(self.size(), 1);
  EXPECT_EQ(self.rank(), 0);
}

TEST(World, SplitsInTheOrderOfTheRanks) {
  const World half = ranks().split(ranks().rank() % 2);
  EXPECT_EQ(half.rank(), ranks().rank() / 2);
  EXPECT_EQ(half.size(), (ranks().size() + 1 - ranks().rank() % 2) / 2);
  EXPECT_EQ(sentence_of<attn::OptionError>([] { ranks().split(-1); }),
            "World::split: color = -1 must be an integer from 0 to 2^31 - 1");
}

TEST(World, KnowsWhetherAnyRankSaysTrue) {
  EXPECT_FALSE(ranks().any(false));
  for (Index r = 0; r < ranks().size(); ++r) EXPECT_TRUE(ranks().any(ranks().rank() == r));
}

TEST(World, MovesItsCommunicator) {
  World one = ranks().self();
  World other = std::move(one);
  one = ranks().split(0);
  EXPECT_EQ(other.size(), 1);
  EXPECT_EQ(one.size(), ranks().size());
  EXPECT_FALSE(other.any(false));
  EXPECT_TRUE(one.any(true));
}

TEST(World, GivesEachRankAShareOfTheCores) {
  EXPECT_GE(attn::mpi::detail::cores_of_rank(ranks().comm()), 1);
  EXPECT_LE(attn::mpi::detail::cores_of_rank(ranks().comm()) * ranks().size(),
            std::max(ranks().size(), attn::detail::available_cores()));
  EXPECT_LE(attn::num_threads(), attn::mpi::detail::cores_of_rank(ranks().comm()));
}

TEST(Messages, SayWhatMpiSays) {
  EXPECT_THAT(sentence_of<attn::Error>(
                  [] { attn::mpi::detail::expect_success(MPI_ERR_TRUNCATE, "MPI_Bcast"); }),
              testing::StartsWith("attn::mpi: MPI_Bcast failed: "));
}

template <Index largest>
void gather() {
  std::vector<Index> counts;
  std::vector<Element> expected;
  for (Index r = 0; r < ranks().size(); ++r) {
    counts.push_back(count_of(r, 1));
    const auto theirs = elements(r, 0, counts.back());
    expected.insert(expected.end(), theirs.begin(), theirs.end());
  }
  const auto mine = elements(ranks().rank(), 0, count_of(ranks().rank(), 1));
  std::vector<Element> all(expected.size());
  auto gathering = attn::mpi::all_gather<largest>(ranks(), mine, std::span(all), counts);
  while (!gathering.is_complete()) continue;
  EXPECT_EQ(gathering.wait().size(), expected.size());
  EXPECT_EQ(all, expected);

  std::vector<Element> in_place(expected.size());
  const Index begin = std::accumulate(counts.begin(), counts.begin() + ranks().rank(), Index{0});
  std::copy(mine.begin(), mine.end(), in_place.begin() + begin);
  attn::mpi::all_gather<largest>(ranks(), std::span(in_place), counts).wait();
  EXPECT_EQ(in_place, expected);
}
TEST(Messages, GatherWhatAllRanksHave) {
  gather<attn::mpi::largest_message>();
  gather<1000>();
}

template <Index largest>
void exchange() {
  std::vector<Index> send_counts, receive_counts;
  std::vector<Element> send, expected;
  for (Index r = 0; r < ranks().size(); ++r) {
    send_counts.push_back(count_of(ranks().rank(), r));
    receive_counts.push_back(count_of(r, ranks().rank()));
    const auto mine = elements(ranks().rank(), r, send_counts.back());
    const auto theirs = elements(r, ranks().rank(), receive_counts.back());
    send.insert(send.end(), mine.begin(), mine.end());
    expected.insert(expected.end(), theirs.begin(), theirs.end());
  }
  std::vector<Element> received(expected.size());
  attn::mpi::all_to_all<largest>(ranks(), send, send_counts, std::span(received), receive_counts)
      .wait();
  EXPECT_EQ(received, expected);
}
TEST(Messages, GoFromAllRanksToAllRanks) {
  exchange<attn::mpi::largest_message>();
  exchange<1000>();
}

TEST(Messages, MayBeUnderWayTogether) {
  const std::vector<Index> counts(static_cast<std::size_t>(ranks().size()), 300);
  std::vector<std::vector<double>> all(3);
  std::vector<attn::mpi::Gathering<double>> gatherings;
  std::vector<std::vector<double>> mine;
  for (double i : {1., 2., 3.})
    mine.emplace_back(300, 10 * i + static_cast<double>(ranks().rank()));
  for (std::size_t i = 0; i < 3; ++i) {
    all[i].resize(counts.size() * 300);
    gatherings.push_back(attn::mpi::all_gather<1000>(ranks(), mine[i], std::span(all[i]), counts));
  }
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t k = 0; k < gatherings[i].wait().size(); ++k)
      ASSERT_EQ(all[i][k], 10 * static_cast<double>(i + 1) + static_cast<double>(k / 300));
}

template <Index largest>
void send_from(Index root) {
  std::vector<Element> values(100);
  if (ranks().rank() == root) values = elements(root, 5, 100);
  attn::mpi::broadcast<largest>(ranks(), std::span(values), root);
  EXPECT_EQ(values, elements(root, 5, 100));
}
TEST(Messages, GoFromOneRankToAll) {
  for (Index root = 0; root < ranks().size(); ++root) {
    send_from<attn::mpi::largest_message>(root);
    send_from<1000>(root);
  }
}

TEST(Messages, RefuseCountsThatDoNotFit) {
  const World self = ranks().self();
  std::vector<int> values(4);
  const std::vector<Index> three{3}, four{4}, two_ranks{2, 2};
  const std::span<const int> mine(values);
  EXPECT_EQ(sentence_of<attn::ShapeError>(
                [&] { attn::mpi::all_gather(self, mine, std::span(values), three).wait(); }),
            "all_gather: this rank must have 3 elements, as the counts say, not 4");
  EXPECT_EQ(sentence_of<attn::ShapeError>(
                [&] { attn::mpi::all_gather(self, std::span(values), two_ranks).wait(); }),
            "all_gather: counts must be 1, one for each rank, with the sum 4, but are 2 with the "
            "sum 4");
  EXPECT_EQ(sentence_of<attn::ShapeError>(
                [&] { attn::mpi::all_to_all(self, mine, four, std::span(values), three).wait(); }),
            "all_to_all: receive_counts must be 1, one for each rank, with the sum 4, but are 1 "
            "with the sum 3");
}

TEST(Together, RefusesWhatTheRanksSayDifferently) {
  const bool is_last = ranks().rank() == ranks().size() - 1 && ranks().size() > 1;
  const std::string last = std::to_string(ranks().size() - 1);
  const std::string all = std::to_string(ranks().size());
  const auto sentence = [&](const std::string& mine, const std::string& theirs) {
    return sentence_of<attn::ShapeError>([&] { Together(ranks(), is_last ? mine : theirs); });
  };
  if (ranks().size() == 1) return Together(ranks(), "Alone: (2, 3)").finish();
  EXPECT_EQ(sentence("Op: a (1); b (2, 3)", "Op: a (1); b (2, 4)"),
            "Op: rank " + last + " of " + all + " says b (2, 3), rank 0 says b (2, 4)");
  EXPECT_EQ(sentence("Op: a", "Op: a; b"),
            "Op: rank " + last + " of " + all + " says nothing more, rank 0 says b");
  EXPECT_EQ(sentence("Op: a", "Other: a"),
            "rank " + last + " of " + all + " calls Op: a, rank 0 calls Other: a");
}

template <class Thrown, class Expected>
void expect_on_all(const Thrown& thrown, const std::string& sentence) {
  for (Index r = 0; r < ranks().size(); ++r) {
    Together together(ranks(), "Operation: nothing");
    together.compute([&] {
      if (ranks().rank() >= r) throw thrown;
    });
    EXPECT_EQ(together.failed(), ranks().rank() >= r);
    together.compute([&] { EXPECT_LT(ranks().rank(), r) << "it computes though it has failed"; });
    const std::string who =
        "rank " + std::to_string(r) + " of " + std::to_string(ranks().size()) + ": ";
    EXPECT_EQ(sentence_of<Expected>([&] { together.finish(); }),
              ranks().size() == 1 ? sentence : who + sentence);
    together.finish();  // nothing has failed since
  }
}
TEST(Together, ThrowsOnAllRanksWhatTheLowestThrows) {
  expect_on_all<attn::ShapeError, attn::ShapeError>(attn::ShapeError("a shape"), "a shape");
  expect_on_all<attn::OptionError, attn::OptionError>(attn::OptionError("an option"), "an option");
  expect_on_all<attn::FileError, attn::FileError>(attn::FileError("a file"), "a file");
  expect_on_all<attn::Error, attn::Error>(attn::Error("else"), "else");
}
TEST(Together, ThrowsAnErrorForOtherExceptions) {
  if (ranks().size() == 1) return;  // which throws what it is
  expect_on_all<std::bad_alloc, attn::Error>(std::bad_alloc(), "std::bad_alloc");
  expect_on_all<int, attn::Error>(1, "an exception that is no std::exception");
}
TEST(Together, AloneThrowsTheExceptionItself) {
  const World self = ranks().self();
  Together together(self, "Operation: nothing");
  together.compute([] { throw std::bad_alloc(); });
  EXPECT_THROW(together.finish(), std::bad_alloc);
}

}  // namespace
