using System.Globalization;
using Shouldly;
using TaskQueue.Api.CommandLine;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Durations and points in time on the command line.</summary>
public sealed class TimeParserTests
{
    [Theory]
    [InlineData("90", 90)]
    [InlineData("90s", 90)]
    [InlineData("1.5m", 90)]
    [InlineData("2h", 7200)]
    [InlineData("7d", 604_800)]
    [InlineData("0", 0)]
    public void A_duration_is_a_number_of_seconds_or_has_a_unit(string text, double seconds) =>
        TimeParser.Duration(text).ShouldBe(TimeSpan.FromSeconds(seconds));

    [Theory]
    [InlineData("")]
    [InlineData("s")]
    [InlineData("-1")]
    [InlineData("-1s")]
    [InlineData("1e3")]
    [InlineData("NaN")]
    [InlineData("Infinity")]
    [InlineData("-Infinity")]
    [InlineData("-Infinityd")]
    [InlineData("12:00")]
    [InlineData("24:00:00")]
    [InlineData("1w")]
    [InlineData("999999999999d")]
    public void Anything_else_is_no_duration(string text) => TimeParser.Duration(text).ShouldBeNull();

    [Theory]
    [InlineData("2030-01-31", "2030-01-31T00:00:00Z")]
    [InlineData("2030-01-31 12:00", "2030-01-31T12:00:00Z")]
    [InlineData("2030-01-31T12:00:00", "2030-01-31T12:00:00Z")]
    [InlineData("2030-01-31T12:00:00.5Z", "2030-01-31T12:00:00.5Z")]
    [InlineData("2030-01-31T12:00:00+02:00", "2030-01-31T10:00:00Z")]
    [InlineData("1.5m", "2030-01-01T00:01:30Z")]
    public void A_time_without_a_zone_is_UTC_and_a_duration_counts_from_now(string text, string time) =>
        TimeParser.Time(text, "--at", Of("2030-01-01T00:00:00Z")).ShouldBe(Of(time));

    [Theory]
    [InlineData("12:00")]
    [InlineData("Jan 5")]
    [InlineData("03/04/2030")]
    [InlineData("2030-1-5")]
    [InlineData("2030-01-31T12:00:00 CET")]
    [InlineData("soon")]
    public void No_time_is_guessed(string text) =>
        Should.Throw<CommandException>(() => TimeParser.Time(text, "--at", Of("2030-01-01T00:00:00Z"))).Message.ShouldContain("--at");

    private static DateTimeOffset Of(string time) => DateTimeOffset.Parse(time, CultureInfo.InvariantCulture);
}
