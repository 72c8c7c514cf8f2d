using System.Globalization;
using System.Text.Json;
using Shouldly;
using TaskQueue.Http.Json;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Points in time in bodies and queries.</summary>
public sealed class PointInTimeTests
{
    [Theory]
    [InlineData("\"2030-01-31T12:00:00Z\"", "2030-01-31T12:00:00")]
    [InlineData("\"2030-01-31T12:00Z\"", "2030-01-31T12:00:00")]
    [InlineData("\"2030-01-31 12:00:00+00:00\"", "2030-01-31T12:00:00")]
    [InlineData("\"2030-01-31T12:00:00-05:30\"", "2030-01-31T17:30:00")]
    [InlineData("\"2030-01-31T12:00:00.5Z\"", "2030-01-31T12:00:00.5")]
    [InlineData("\"2030-01-31T12:00:00.123456789Z\"", "2030-01-31T12:00:00.1234567")]
    [InlineData("\"2030-01-31T12:00:00.123456789+02:00\"", "2030-01-31T10:00:00.1234567")]
    [InlineData("1895745600", "2030-01-27T12:00:00")]
    [InlineData("1895745600.5", "2030-01-27T12:00:00.5")]
    public void A_time_has_a_zone_or_is_a_number(string json, string time)
    {
        var read = PointInTime.Parse(JsonElement.Parse(json))!.Value;
        read.ShouldBe(DateTime.Parse(time, CultureInfo.InvariantCulture));
        read.Kind.ShouldBe(DateTimeKind.Utc);
    }

    [Theory]
    [InlineData("\"\"")]
    [InlineData("\"12:00\"")]
    [InlineData("\"1.5\"")]
    [InlineData("\"1895745600\"")]
    [InlineData("\"Jan 5\"")]
    [InlineData("\"03/04/2030\"")]
    [InlineData("\"2030-01-31\"")]
    [InlineData("\"2030-01-31T12:00:00\"")]
    [InlineData("\"2030-01-31T12:00:00.\"")]
    [InlineData("\"2030-02-30T12:00:00Z\"")]
    [InlineData("\"2030-01-31T12:00:00 CET\"")]
    [InlineData("\"0001-01-01T00:00:00+14:00\"")]
    [InlineData("\"\\ud800\"")]
    [InlineData("-1")]
    [InlineData("1e999")]
    [InlineData("1895745600000")]
    [InlineData("true")]
    [InlineData("[]")]
    public void Nothing_else_is_a_time(string json) => PointInTime.Parse(JsonElement.Parse(json)).ShouldBeNull();

    [Theory]
    [InlineData("1895745600", true)]
    [InlineData("2030-01-31T12:00:00Z", true)]
    [InlineData("-Infinity", false)]
    [InlineData("NaN", false)]
    [InlineData("2030-01-31", false)]
    public void Numbers_of_queries_are_texts(string text, bool isTime) => (PointInTime.Parse(text) is not null).ShouldBe(isTime);
}
