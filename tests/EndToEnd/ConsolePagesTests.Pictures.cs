using Microsoft.Playwright;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The pictures of docs/console-pages.md.</summary>
public sealed partial class ConsolePagesTests
{
    private const int LargestPicture = 100_000;

    /// <summary>Pages that are shown in other colours or on a narrow screen too, by what their file's name ends with.</summary>
    private static readonly (string Suffix, ColorScheme Colours, int Width, int Height, string[] Pages)[] More =
    [
        ("-dark", ColorScheme.Dark, 1120, 700, ["overview", "task"]),
        ("-narrow", ColorScheme.Light, 360, 700, ["tasks", "task"]),
    ];

    /// <remarks>They are not compared: they have times and ids in them.</remarks>
    [Fact]
    public async Task Every_page_has_a_picture_in_the_documentation()
    {
        var names = new List<string> { "sign-in" };
        await using (var tab = await site.TabAsync(Window(ColorScheme.Light, 1120, 700)))
        {
            var paths = await PathsAsync(tab);
            names.AddRange(paths.Select(Name));
            if (Repository.WritesDocs)
                await DrawAsync(tab, paths);
        }

        names.AddRange(More.SelectMany(m => m.Pages.Select(p => p + m.Suffix)));
        var text = await File.ReadAllTextAsync(Repository.FileAt("docs", "console-pages.md"));
        foreach (var name in names)
        {
            var file = new FileInfo(FileOf(name));
            file.Exists.ShouldBeTrue($"{file} is missing: run this test with TASKQUEUE_WRITE_DOCS=1 to write it");
            file.Length.ShouldBeLessThanOrEqualTo(LargestPicture, file.FullName);
            text.ShouldContain($"(console/{name}.png)");
        }

        Directory.GetFiles(Repository.FileAt("docs", "console"), "*.png").Select(Path.GetFileNameWithoutExtension)
            .ShouldBe(names, ignoreOrder: true);
    }

    private static string FileOf(string name) => Repository.FileAt("docs", "console", $"{name}.png");

    private async Task DrawAsync(ConsoleTab tab, List<string> paths)
    {
        Directory.CreateDirectory(Repository.FileAt("docs", "console"));
        foreach (var path in paths)
            await DrawAsync(tab, path, Name(path));
        foreach (var (suffix, colours, width, height, pages) in More)
        {
            await using var other = await site.TabAsync(Window(colours, width, height));
            foreach (var path in paths.Where(p => pages.Contains(Name(p))))
                await DrawAsync(other, path, Name(path) + suffix);
        }

        await using var outside = await site.TabAsync(Window(ColorScheme.Light, 1120, 700), signedIn: false);
        await outside.GoAsync("");
        await ShootAsync(outside, "sign-in");
    }

    private static async Task DrawAsync(ConsoleTab tab, string path, string name)
    {
        await tab.GoAsync(path);
        await Expect(tab.Page.Locator("main")).ToContainTextAsync(Shown[Name(path)]);
        await Expect(tab.Live).ToHaveTextAsync("Live");
        await Expect(tab.Page.Locator("[aria-busy=true]")).ToHaveCountAsync(0);
        if (name.StartsWith("overview", StringComparison.Ordinal))
            await Expect(tab.Page.Locator(".spark").First).ToBeVisibleAsync(); // it needs two reads
        await ShootAsync(tab, name);
    }

    private static async Task ShootAsync(ConsoleTab tab, string name)
    {
        var picture = await tab.Page.ScreenshotAsync(new PageScreenshotOptions { Animations = ScreenshotAnimations.Disabled });
        await File.WriteAllBytesAsync(FileOf(name), SmallPng.Shrink(picture));
    }
}
