using Shouldly;
using TaskQueue.Engine.Search;
using TaskQueue.Storage.Search;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>The ids among which a search looks.</summary>
public sealed class SearchRangeTests
{
    [Fact]
    public void The_first_and_the_last_date_are_no_limits()
    {
        var search = new TaskSearch { CreatedFrom = DateTime.MinValue, CreatedTo = DateTime.MaxValue, FinishedTo = DateTime.MaxValue };
        var range = SearchRange.Of(search, null);
        range.From.ShouldBe(Guid.Empty);
        range.Before!.Value.ShouldBeGreaterThan(Guid.CreateVersion7(new DateTimeOffset(9999, 12, 31, 0, 0, 0, TimeSpan.Zero)));
    }

    [Fact]
    public void An_id_above_another_shows_its_time_only_and_more_only_to_stay_below_a_limit()
    {
        var id = Guid.Parse("01a20143-9cd1-7abc-b914-6cd1c8630a23");
        SearchRange.Above(id, null).ShouldBe(Guid.Parse("01a20143-9cd2-0000-0000-000000000000"));
        SearchRange.Above(id, Guid.Parse("01a20143-9cd2-0000-0000-000000000001")).ShouldBe(
            Guid.Parse("01a20143-9cd2-0000-0000-000000000000"));
        SearchRange.Above(id, Guid.Parse("01a20143-9cd2-0000-0000-000000000000")).ShouldBe(
            Guid.Parse("01a20143-9cd1-7b00-0000-000000000000"));
        SearchRange.Above(id, Guid.Parse("01a20143-9cd1-7abc-b914-6cd1c8630a24")).ShouldBe(id);
    }
}
