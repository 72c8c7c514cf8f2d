using Shouldly;
using TaskQueue.Engine.Events;
using Xunit;

namespace TaskQueue.Tests.Unit;

public sealed class EventCursorTests
{
    [Fact]
    public void A_place_is_read_as_it_was_written()
    {
        var random = new Random(1);
        for (var i = 0; i < 1000; i++)
        {
            var streams = random.Next(65);
            var cursors = Enumerable.Range(0, 64).Select(s => s < streams ? random.NextInt64(1L << random.Next(1, 62)) : 0).ToArray();
            EventCursor.Parse(EventCursor.ToText(cursors)).ShouldBe(cursors);
        }
    }

    [Fact]
    public void A_place_in_one_stream_is_short() => EventCursor.ToText([123_456_789, .. new long[63]]).Length.ShouldBeLessThan(10);

    [Theory]
    [InlineData("")]
    [InlineData("A")]
    [InlineData("AA")]
    [InlineData("AQE")]
    [InlineData("AQEC")]
    [InlineData("AQEAAA")]
    [InlineData("AQEB")]
    [InlineData("AUEA")]
    [InlineData("gAAA")]
    [InlineData("____________________")]
    [InlineData("AQEA=")]
    [InlineData(" AQEA")]
    [InlineData("я")]
    public void What_is_no_place_is_not_read(string text) => EventCursor.Parse(text).ShouldBeNull();

    [Fact]
    public void A_text_that_is_too_long_is_not_read() => EventCursor.Parse(new string('A', 100_000)).ShouldBeNull();
}
