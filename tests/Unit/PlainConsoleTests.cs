using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using Shouldly;
using TaskQueue.Api.Hosting;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Text from a worker cannot move the cursor, start its own line, or change the text direction around it.</summary>
public sealed class PlainConsoleTests
{
    [Theory]
    [InlineData("simple")]
    [InlineData("systemd")]
    [InlineData("json")]
    public async Task Control_characters_do_not_reach_the_console(string name)
    {
        var services = new ServiceCollection();
        services.AddLogging(logging =>
            logging.AddSimpleConsole(o => (o.SingleLine, o.ColorBehavior) = (true, LoggerColorBehavior.Disabled)));
        PlainConsole.AddTo(services);
        await using var provider = services.BuildServiceProvider();
        var formatter = provider.GetServices<ConsoleFormatter>().Single(f => f.Name == name);
        await using var text = new StringWriter();

        formatter.Write(Entry("w\u001b[2J\rfake\ninfo: forged\u0085x\u2028y\u202e", new InvalidOperationException("e\u001b]0;t\u0007")),
            null, text);

        var line = text.ToString().TrimEnd('\n');
        line.ShouldNotContain('\n');
        line.Any(char.IsControl).ShouldBeFalse(line);
        line.ShouldNotContain('\u2028');
        line.ShouldNotContain('\u202e');
        line.ShouldContain("u001B");
        line.ShouldContain("InvalidOperationException");
    }

    [Fact]
    public void Plain_text_stays_unchanged()
    {
        PlainConsole.Clean("größe\t1\n2").ShouldBe("größe\t1\n2");
        PlainConsole.Clean("a\r\nb\rc").ShouldBe("a\nb\\u000Dc");
    }

    private static LogEntry<string> Entry(string message, Exception fault) =>
        new(LogLevel.Warning, "Test", new EventId(1), message, fault, (text, _) => text);
}
