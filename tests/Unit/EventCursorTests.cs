using Shouldly;
using TaskQueue.Engine.Events;
using Xunit;

namespace TaskQueue.Tests.Unit;

public sealed class EventCursorTests
{
    [Fact]
    public void A_cursor_round_trips()
    {
        var random = new Random(1);
        for (var i = 0; i < 1000; i++)
        {
            var streams = random.Next(65);
            var cursors = Enumerable.Range(0, 64).Select(s => s < streams ? random.NextInt64(1L << random.Next(1, 62)) : 0).ToArray();
            var server = i % 2 == 0 ? 0 : random.Next();
            var position = EventCursor.Parse(EventCursor.ToText(cursors, server)).ShouldNotBeNull();
            position.Offsets.ShouldBe(cursors);
            position.Server.ShouldBe(server);
        }
    }

    [Fact]
    public void A_cursor_in_one_partition_is_short() => EventCursor.ToText([123_456_789, .. new long[63]]).Length.ShouldBeLessThan(10);

    [Theory]
    [InlineData("")]
    [InlineData("A")]
    [InlineData("AA")]
    [InlineData("AQE")]
    [InlineData("AQEC")]
    [InlineData("AQEAAA")]
    [InlineData("AQEABQU")]
    [InlineData("AQEB")]
    [InlineData("AUEA")]
    [InlineData("gAAA")]
    [InlineData("____________________")]
    [InlineData("AQEA=")]
    [InlineData(" AQEA")]
    [InlineData("я")]
    public void An_invalid_cursor_is_not_parsed(string text) => EventCursor.Parse(text).ShouldBeNull();

    [Fact]
    public void An_overlong_text_is_not_parsed() => EventCursor.Parse(new string('A', 100_000)).ShouldBeNull();
}
