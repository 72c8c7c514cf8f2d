using Shouldly;
using TaskQueue.Engine.Schedules;
using Xunit;

namespace TaskQueue.Tests.Unit;

public sealed partial class CronScheduleTests
{
    [Theory]
    [InlineData("", "cron is empty")]
    [InlineData(" \t\n", "cron is empty")]
    [InlineData("* * * *", "4 fields")]
    [InlineData("* * * * * * * *", "8 fields")]
    [InlineData("1, 2 * * * *", "missing")]
    [InlineData("@reboot", "@everysecond")]
    [InlineData("@daily @daily", "@everysecond")]
    [InlineData("@", "@everysecond")]
    // Out of range.
    [InlineData("61 * * * *", "'61' is not valid in the field minute: use numbers from 0 to 59")]
    [InlineData("60 * * * *", "0 to 59")]
    [InlineData("60 * * * * *", "field second")]
    [InlineData("* 24 * * *", "0 to 23")]
    [InlineData("* * 0 * *", "1 to 31")]
    [InlineData("* * 32 * *", "1 to 31")]
    [InlineData("* * 0/5 * *", "1 to 31")]
    [InlineData("* * * 0 *", "1 to 12")]
    [InlineData("* * * 13 *", "(JAN to DEC) or numbers from 1 to 12")]
    [InlineData("* * * * 8", "(SUN to SAT) or numbers from 0 to 7")]
    [InlineData("* * * * 2026", "0 to 7")]
    [InlineData("0 0 1 1 * 20266", "field year")]
    [InlineData("0 0 0 1 1 * 10000", "0 to 9999")]
    [InlineData("0-60 * * * *", "0 to 59")]
    [InlineData("* 99999999999 * * *", "0 to 23")]
    [InlineData("-1 * * * *", "0 to 59")]
    [InlineData("+1 * * * *", "0 to 59")]
    [InlineData("1.5 * * * *", "0 to 59")]
    [InlineData("\u0661 * * * *", "0 to 59")]
    // Shapes.
    [InlineData("1,,2 * * * *", "extra comma")]
    [InlineData(", * * * *", "extra comma")]
    [InlineData("1- * * * *", "0 to 59")]
    [InlineData("1-2-3 * * * *", "more than one '-'")]
    [InlineData("*/2/3 * * * *", "more than one '/'")]
    [InlineData("*/0 * * * *", "at least 1")]
    [InlineData("*/ * * * *", "at least 1")]
    [InlineData("*/-2 * * * *", "at least 1")]
    [InlineData("*/99999999999 * * * *", "at least 1")]
    [InlineData("/5 * * * *", "0 to 59")]
    [InlineData("*5 * * * *", "0 to 59")]
    [InlineData("*-5 * * * *", "0 to 59")]
    [InlineData("?/5 * * * *", "0 to 59")]
    [InlineData("H * * * *", "0 to 59")]
    // Ranges do not wrap.
    [InlineData("50-10 * * * *", "backwards")]
    [InlineData("* 22-2 * * *", "backwards")]
    [InlineData("* * * NOV-FEB *", "backwards")]
    [InlineData("* * * * FRI-MON", "ends with 7")]
    [InlineData("* * * * SAT-SUN", "ends with 7")]
    [InlineData("* * * * 7/2", "start a step on Sunday with 0")]
    // Names belong to their field and have three letters.
    [InlineData("* * * MON *", "field month")]
    [InlineData("* * * * JAN", "field weekday")]
    [InlineData("* * * * MONDAY", "field weekday")]
    [InlineData("MON * * * *", "field minute")]
    // Days that move.
    [InlineData("* * LW * *", "L, the last day of the month, stands alone")]
    [InlineData("* * L-3 * *", "stands alone")]
    [InlineData("* * 15L * *", "stands alone")]
    [InlineData("* * W * *", "W follows")]
    [InlineData("* * 0W * *", "W follows")]
    [InlineData("* * 32W * *", "W follows")]
    [InlineData("* * 1-5W * *", "W follows")]
    [InlineData("* * 15W/2 * *", "W follows")]
    [InlineData("* * 5#2 * *", "1 to 31")]
    [InlineData("* * * L *", "field month")]
    [InlineData("L * * * *", "field minute")]
    [InlineData("* * * * L", "L and # follow one weekday")]
    [InlineData("* * * * 8L", "L and # follow")]
    [InlineData("* * * * 1-5L", "L and # follow")]
    [InlineData("* * * * 15W", "field weekday")]
    [InlineData("* * * * #2", "L and # follow")]
    [InlineData("* * * * 6#6", "1 to 5")]
    [InlineData("* * * * 6#0", "1 to 5")]
    [InlineData("* * * * 6#", "1 to 5")]
    [InlineData("* * * * 1#2#3", "1 to 5")]
    [InlineData("* * * * 1#2-3", "1 to 5")]
    [InlineData("* * * * 8#2", "L and # follow")]
    public void Other_texts_are_refused(string cron, string advice) =>
        Should.Throw<InvalidScheduleException>(() => CronSchedule.Parse(cron, "UTC")).Message.ShouldContain(advice);

    [Fact]
    public void Long_texts_are_refused_and_not_repeated_in_full()
    {
        Refusal(string.Join(',', Enumerable.Repeat("1", 5_000)) + " * * * *").ShouldBe("cron has 10007 characters: use at most 2000");
        Refusal(new string('9', 500) + " * * * *").Length.ShouldBeLessThan(200);

        static string Refusal(string cron) => Should.Throw<InvalidScheduleException>(() => CronSchedule.Parse(cron, "UTC")).Message;
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("Mars/X")]
    [InlineData("America")]
    [InlineData("America/")]
    [InlineData("/usr/share/zoneinfo/UTC")]
    [InlineData("../zoneinfo/UTC")]
    [InlineData("Europe//Berlin")]
    [InlineData("Europe/Berlin ")]
    [InlineData("europe/berlin")]
    [InlineData("Pacific Standard Time")]
    [InlineData("localtime")]
    [InlineData("right/UTC")]
    [InlineData("zone.tab")]
    [InlineData("UTC-11")] // a name of Windows
    [InlineData("+02:00")]
    [InlineData("Europe/Berlin\0")]
    public void Unknown_time_zones_are_refused(string timeZone)
    {
        CronSchedule.Parse("* * * * *", "Europe/Berlin");

        Should.Throw<InvalidScheduleException>(() => CronSchedule.Parse("* * * * *", timeZone)).Message.ShouldContain("write an IANA name");
    }
}
