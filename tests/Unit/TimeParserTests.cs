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
}
