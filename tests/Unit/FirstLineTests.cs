using System.Text;
using Shouldly;
using TaskQueue.Adapters.OpenAI.Batches;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>How much memory the first line of a batch needs.</summary>
public sealed class FirstLineTests
{
    [Theory]
    [InlineData("", 0)]
    [InlineData("{}", 2)]
    [InlineData("{\"a\":1}\n{\"a\":1234}\n", 7)]
    [InlineData("\n \r\n\n{\"a\":1}\nx", 7)]
    [InlineData("\uFEFF\n{\"a\":1}", 7)]
    [InlineData("          \n{}\n", 10)]
    public async Task The_first_line_is_measured(string text, long length)
    {
        using var input = new MemoryStream(Encoding.UTF8.GetBytes(text));

        (await FirstLine.MeasureAsync(input, 100, default)).ShouldBe(length);
    }

    [Theory]
    [InlineData(50_000, 50_000)]
    [InlineData(100_000, 70_000)]
    public async Task A_long_line_is_measured_up_to_the_limit(int length, long measured)
    {
        using var input = new MemoryStream(Encoding.UTF8.GetBytes($"\n{new string('x', length)}\n{new string('y', 200_000)}"));

        (await FirstLine.MeasureAsync(input, 70_000, default)).ShouldBe(measured);
    }
}
