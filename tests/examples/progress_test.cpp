#include "examples/progress.hpp"

#include <gtest/gtest.h>

#include <sstream>

#include "examples/interrupt.hpp"

TEST(Progress, IsOneLineThatIsOverwrittenOnATerminal) {
  std::ostringstream out;
  double now = 100;
  {
    Progress progress(out, true, [&] { return now; });
    progress.step(0.0, 2.0, 0.25, 64);
    EXPECT_EQ(out.str(), "");  // nothing more often than ten times a second
    now = 110;
    progress.step(0.25, 2.0, 0.25, 64);
    EXPECT_EQ(out.str(),
              "\r[==        ]  25 %  loss 2.0000  accuracy 25.0 %  13 examples/s  0:30 left\x1b[K");
    now = 110.05;
    progress.step(0.3, 2.0, 0.25, 64);
    now = 140;
    progress.step(1.0, 2.0, 0.25, 64);
    out.str("");
    progress.say("a line");
    EXPECT_EQ(out.str(), "\r\x1b[Ka line\n");
    out.str("");
    progress.say("another");
    EXPECT_EQ(out.str(), "another\n");
    now = 150;
    progress.step(1.0, 2.0, 0.25, 64);
    EXPECT_EQ(out.str(),
              "another\n\r[==========] 100 %  loss 2.0000  accuracy 25.0 %  6 examples/s  0:00 "
              "left\x1b[K");
    out.str("");
  }
  EXPECT_EQ(out.str(), "\r\x1b[K");  // a program's next line does not stand behind the bar
}

TEST(Progress, IsALineEveryTenSecondsElsewhere) {
  std::ostringstream out;
  double now = 0;
  Progress progress(out, false, [&] { return now; });
  for (int i = 0; i <= 250; ++i) {
    now = i * 0.1;
    progress.step(i / 1000.0, 1.0, 1.0, 100);
  }
  EXPECT_EQ(out.str(),
            "[=         ]  10 %  loss 1.0000  accuracy 100.0 %  1010 examples/s  1:30 left\n"
            "[==        ]  20 %  loss 1.0000  accuracy 100.0 %  1005 examples/s  1:20 left\n");
}

TEST(Progress, AveragesRecentLossesAndMeasuresThisRunAlone) {
  std::ostringstream out;
  double now = 0;
  Progress progress(out, false, [&] { return now; });
  progress.step(0.5, 8.0, 0.0, 10);
  for (int i = 0; i < 1000; ++i) progress.step(0.5, 1.0, 0.5, 0);
  now = 20;
  progress.step(0.75, 1.0, 0.5, 30);  // a quarter in 20 s, so 20 s for the last one
  EXPECT_EQ(out.str(),
            "[=======   ]  75 %  loss 1.0000  accuracy 50.0 %  2 examples/s  0:20 left\n");
  EXPECT_DOUBLE_EQ(progress.elapsed(), 20);
}

TEST(Progress, FitsIntoEightyColumns) {
  std::ostringstream out;
  double now = 0;
  Progress progress(out, false, [&] { return now; });
  progress.step(0.0, 9.9999, 1, 0);
  now = 11;
  progress.step(0.0028, 9.9999, 1, 11 * 9999);
  EXPECT_LE(out.str().size(), 81u) << out.str();
}

TEST(Progress, WritesTimes) {
  EXPECT_EQ(clock_text(0), "0:00");
  EXPECT_EQ(clock_text(59.6), "1:00");
  EXPECT_EQ(clock_text(545), "9:05");
  EXPECT_EQ(clock_text(3723), "1:02:03");
  EXPECT_EQ(clock_text(-5), "0:00");
}

TEST(Interrupt, IsRequestedByCtrlCAndRestoresTheHandler) {
  const auto ignored = std::signal(SIGINT, SIG_IGN);
  {
    const Interrupt interrupt;
    EXPECT_FALSE(interrupt.requested());
    std::raise(SIGINT);
    EXPECT_TRUE(interrupt.requested());
  }
  EXPECT_EQ(std::signal(SIGINT, ignored), SIG_IGN);
  const Interrupt again;
  EXPECT_FALSE(again.requested());
}
