using Shouldly;
using TaskQueue.Engine.Search;
using Xunit;

namespace TaskQueue.Tests.Unit;

public sealed class SearchCursorTests
{
    [Theory]
    [InlineData(0, true)]
    [InlineData(1000, false)]
    [InlineData(1_000_000_000_000_000, false)]
    public void A_cursor_survives_its_text(long count, bool exact)
    {
        var cursor = new SearchCursor(Guid.NewGuid(), new SearchTotal(count, exact));

        SearchCursor.Parse(cursor.ToString()).ShouldBe(cursor);
    }

    [Theory]
    [InlineData("")]
    [InlineData("x")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAÄ")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAP__________")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    public void Any_other_text_is_none(string text) => SearchCursor.Parse(text).ShouldBeNull();
}
