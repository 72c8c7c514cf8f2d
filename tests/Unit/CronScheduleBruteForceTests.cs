using Shouldly;
using TaskQueue.Engine.Schedules;
using Xunit;
using Xunit.Abstractions;

namespace TaskQueue.Tests.Unit;

/// <summary>Random cron texts against a clock that advances minute by minute.</summary>
public sealed class CronScheduleBruteForceTests(ITestOutputHelper output)
{
    private const int MostTicks = 3_000;

    [Fact]
    public void Every_minute_of_two_years_in_UTC_matches_brute_force()
    {
        var random = Seeded();
        var start = new DateTime(2027, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        for (var sample = 0; sample < 150; sample++)
        {
            var cron = RandomCron.Text(random);
            var matcher = new CronMatcher(cron);
            var expected = Minutes(start, start.AddYears(2)).Where(matcher.Matches);

            Compare(cron, "UTC", start, start.AddYears(2), expected);
        }
    }

    [Theory]
    [InlineData("America/New_York", 2026)]
    [InlineData("Australia/Lord_Howe", 2026)]
    [InlineData("Pacific/Apia", 2011)]
    [InlineData("America/Sao_Paulo", 2018)]
    [InlineData("Asia/Beirut", 2026)]
    [InlineData("Europe/Dublin", 2026)]
    [InlineData("Africa/Casablanca", 2026)]
    [InlineData("Asia/Pyongyang", 2015)]
    [InlineData("Asia/Pyongyang", 2018)]
    [InlineData("Europe/Moscow", 2014)]
    [InlineData("America/Caracas", 2016)]
    [InlineData("Antarctica/Troll", 2026)]
    [InlineData("Pacific/Chatham", 2026)]
    public void Every_minute_around_daylight_saving_changes_matches_brute_force(string timeZone, int year)
    {
        var random = Seeded();
        var zone = TimeZoneInfo.FindSystemTimeZoneById(timeZone);
        var begin = new DateTime(year, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        var changes = Minutes(begin, begin.AddYears(1))
            .Where(minute => zone.GetUtcOffset(minute) != zone.GetUtcOffset(minute.AddMinutes(-1))).ToList();
        changes.ShouldNotBeEmpty();
        foreach (var change in changes)
        {
            // An odd start now and then, so that some starts lie in a repeated hour.
            for (var sample = 0; sample < 60; sample++)
            {
                var cron = RandomCron.Time(random) + " * * *";
                var start = change.AddMinutes(sample % 2 == 0 ? -2 * 24 * 60 : random.Next(-90, 90));
                var end = change.AddDays(3);
                Compare(cron, timeZone, start, end,
                    Fired(new CronMatcher(cron), zone, change.AddDays(-4), end).Where(tick => tick >= start));
            }
        }
    }

    /// <summary>The ticks that the rules for clock changes require.</summary>
    private static IEnumerable<DateTime> Fired(CronMatcher matcher, TimeZoneInfo zone, DateTime start, DateTime end)
    {
        var furthest = TimeZoneInfo.ConvertTimeFromUtc(start.AddMinutes(-1), zone);
        foreach (var minute in Minutes(start, end))
        {
            var reading = TimeZoneInfo.ConvertTimeFromUtc(minute, zone);
            if (matcher.AllHours ? matcher.Matches(reading) : Minutes(furthest.AddMinutes(1), reading.AddMinutes(1)).Any(matcher.Matches))
                yield return minute;
            furthest = reading > furthest ? reading : furthest;
        }
    }

    private static void Compare(string cron, string timeZone, DateTime start, DateTime end, IEnumerable<DateTime> expected)
    {
        var actual = CronSchedule.Parse(cron, timeZone).Upcoming(start.AddTicks(-1), MostTicks).TakeWhile(tick => tick < end).ToList();
        var wanted = expected.Take(MostTicks).ToList();
        // Not ShouldBe on the lists: it would print them all.
        var difference = Enumerable.Range(0, Math.Max(actual.Count, wanted.Count))
            .FirstOrDefault(i => i >= actual.Count || i >= wanted.Count || actual[i] != wanted[i], -1);
        if (difference >= 0)
            Assert.Fail($"'{cron}' in {timeZone} from {start:s}: tick {difference} is {At(actual, difference)}, not "
                + $"{At(wanted, difference)}");
    }

    private static string At(List<DateTime> ticks, int index) => index < ticks.Count ? ticks[index].ToString("s") : "missing";

    private static IEnumerable<DateTime> Minutes(DateTime start, DateTime end)
    {
        for (var minute = start; minute < end; minute = minute.AddMinutes(1))
            yield return minute;
    }

    private Random Seeded()
    {
        var seed = Environment.GetEnvironmentVariable("CRON_SEED") is { Length: > 0 } text ? int.Parse(text) : Random.Shared.Next();
        output.WriteLine($"CRON_SEED={seed}");
        return new Random(seed);
    }
}
