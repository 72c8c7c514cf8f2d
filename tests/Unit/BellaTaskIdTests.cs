using Microsoft.Extensions.Time.Testing;
using Shouldly;
using TaskQueue.Engine.Ids;
using Xunit;

namespace TaskQueue.Tests.Unit;

public sealed class BellaTaskIdTests
{
    private const int Samples = 20_000;

    [Fact]
    public void Random_ids_round_trip_through_text_and_uuid()
    {
        var random = new Random(4711);
        for (var sample = 0; sample < Samples; sample++)
        {
            var id = Any(random);
            var guid = id.ToGuid();
            var text = id.ToString();

            text.ShouldMatch("^TASK-[0-9]+-[0-9]+-[BSCP]-[0-9]{12}-[0-9]{4}-[0-9]{6}$");
            NumberedTaskId.Parse(text).ShouldBe(id);
            NumberedTaskId.FromGuid(guid).ShouldBe(id);
            NumberedTaskId.ParseAny(text).ShouldBe(guid);
            NumberedTaskId.Format(guid).ShouldBe(text);
            guid.Version.ShouldBe(8);
            (guid.Variant & 0b1100).ShouldBe(0b1000);
        }
    }

    [Fact]
    public void The_largest_and_the_smallest_parts_survive()
    {
        foreach (var id in new NumberedTaskId[]
        {
            new(Milliseconds(2000, 1, 1), 0, NumberedTaskMode.Blocking, 0, 0, 1),
            new(Milliseconds(2100, 1, 1) - 1, 999, NumberedTaskMode.Batch, 9999, ushort.MaxValue, int.MaxValue),
        })
        {
            NumberedTaskId.FromGuid(id.ToGuid()).ShouldBe(id);
            NumberedTaskId.Parse(id.ToString()).ShouldBe(id);
        }
    }

    [Fact]
    public void The_text_shows_the_parts_in_UTC()
    {
        var id = new NumberedTaskId(Milliseconds(2025, 11, 11) + 20 * 3_600_000 + 15 * 60_000 + 7_042, 9, NumberedTaskMode.Callback,
            1, 1, 7);

        id.ToString().ShouldBe("TASK-7-1-C-251111201507-0001-042009");
    }

    [Theory]
    [InlineData("")]
    [InlineData("TASK")]
    [InlineData("task-7-1-C-251111201507-0001-042009")]
    [InlineData("TASK-7-1-C-251111201507-0001-04200")]
    [InlineData("TASK-7-1-C-251111201507-0001-0420091")]
    [InlineData("TASK-7-1-C-251111201507-001-042009")]
    [InlineData("TASK-7-1-X-251111201507-0001-042009")]
    [InlineData("TASK-7-1-CP-251111201507-0001-042009")]
    [InlineData("TASK-7-1--251111201507-0001-042009")]
    [InlineData("TASK-07-1-C-251111201507-0001-042009")]
    [InlineData("TASK-7-01-C-251111201507-0001-042009")]
    [InlineData("TASK-0-1-C-251111201507-0001-042009")]
    [InlineData("TASK-2147483648-1-C-251111201507-0001-042009")]
    [InlineData("TASK-7-65536-C-251111201507-0001-042009")]
    [InlineData("TASK-7-1-C-251311201507-0001-042009")]
    [InlineData("TASK-7-1-C-251111241507-0001-042009")]
    [InlineData("TASK-7-1-C-251111201507-0001-042009\n")]
    [InlineData("TASK-7-1-C-251111201507-0001-04 009")]
    [InlineData("TASK-7-1-C-251111201507-0001-+42009")]
    [InlineData("TASK-٧-1-C-251111201507-0001-042009")]
    [InlineData("TASK-X-X-X-XXXXXXXXXXXX-XXXX-XXXXXX")]
    public void Other_text_is_not_an_id(string text)
    {
        NumberedTaskId.Parse(text).ShouldBeNull();
        NumberedTaskId.ParseAny(text).ShouldBeNull();
    }

    [Fact]
    public void A_task_of_another_API_shows_its_uuid()
    {
        foreach (var guid in new[] { Guid.Empty, Guid.NewGuid(), Guid.CreateVersion7(), Guid.AllBitsSet,
            new Guid("ffffffff-ffff-8fff-bfff-ffffffffffff") })
        {
            NumberedTaskId.FromGuid(guid).ShouldBeNull();
            NumberedTaskId.Format(guid).ShouldBe(guid.ToString());
            NumberedTaskId.ParseAny(guid.ToString()).ShouldBe(guid);
        }
    }

    [Fact]
    public void Generated_ids_increase_even_when_the_clock_stands_still()
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 5, 6, 7, 8, 9, 998, TimeSpan.Zero));
        var ids = new NumberedTaskIds(time);

        var made = Enumerable.Range(0, 2500).Select(_ => ids.New(3, 1, NumberedTaskMode.Callback)).ToList();

        made[0].ToString().ShouldMatch("^TASK-3-1-C-260506070809-[0-9]{4}-998000$");
        made[^1].ToString().ShouldMatch("^TASK-3-1-C-260506070810-[0-9]{4}-000499$");
        var uuids = made.Select(id => id.ToGuid().ToString()).ToList();
        uuids.ShouldBe(uuids.Order(StringComparer.Ordinal));
        uuids.Distinct().Count().ShouldBe(made.Count);
    }

    [Fact]
    public void A_new_instance_gets_a_new_number()
    {
        var ids = new NumberedTaskIds(TimeProvider.System);
        var first = ids.New(1, 0, NumberedTaskMode.Callback).Instance;

        var drawn = Enumerable.Range(0, 20).Select(_ =>
        {
            ids.DrawInstance();
            return ids.New(1, 0, NumberedTaskMode.Callback).Instance;
        }).ToList();

        drawn.ShouldContain(instance => instance != first);
        drawn.ShouldAllBe(instance => instance >= 0 && instance < 10_000);
    }

    private static NumberedTaskId Any(Random random) => new(
        random.NextInt64(Milliseconds(2000, 1, 1), Milliseconds(2100, 1, 1)),
        random.Next(1000),
        (NumberedTaskMode)random.Next(4),
        random.Next(10_000),
        random.Next(ushort.MaxValue + 1),
        random.Next(1, int.MaxValue));

    private static long Milliseconds(int year, int month, int day) =>
        new DateTimeOffset(year, month, day, 0, 0, 0, TimeSpan.Zero).ToUnixTimeMilliseconds();
}
