using Microsoft.Playwright;
using Shouldly;
using Xunit;
using static Microsoft.Playwright.Assertions;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Every page of the console in a browser, with real data.</summary>
public sealed partial class ConsolePagesTests(ConsoleSite site) : IClassFixture<ConsoleSite>
{
    /// <summary>Something that each page shows of the site, by the name of its picture.</summary>
    private static readonly Dictionary<string, string> Shown = new()
    {
        ["overview"] = "Everything works.", ["tasks"] = "550 mail.example.com", ["task"] = "9007199254740993123",
        ["failures"] = "Smtp.NoMailbox", ["failure"] = "Examples", ["batches"] = "12/20", ["batch"] = "12 of 20 lines done",
        ["callbacks"] = "Answered 200", ["queues"] = "Transactional mail", ["queue"] = "Tasks per second",
        ["schedules"] = "At 08:00", ["schedule"] = "Next ticks", ["workers"] = "resizer-0", ["keys"] = "shop-backend",
        ["maintenance"] = "abandoned-files", ["quarantine"] = "orders-queue-17", ["audit"] = "queue/mails", ["operations"] = "cancel",
    };

    private const int Parts = 4;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Each_page_is_accessible_in_both_colours_and_on_a_narrow_screen_and_reports_no_error(int part)
    {
        await using var tab = await site.TabAsync(Window(ColorScheme.Light, 1280, 800));
        var faults = new List<string>();
        var paths = (await PathsAsync(tab)).Append("nowhere").ToList();
        foreach (var path in paths.Where((_, i) => i % Parts == part))
        {
            await tab.GoAsync(path);
            await Expect(tab.Page.Locator("main")).ToContainTextAsync(path == "nowhere" ? "There is no such page" : Shown[Name(path)]);
            await Expect(tab.Page.Locator(".notice[role=alert]")).ToHaveCountAsync(0);
            await CheckAsync(path);
        }

        faults.ShouldBeEmpty();
        tab.Errors.ShouldBeEmpty();

        async Task CheckAsync(string path)
        {
            Add("light", await tab.ViolationsAsync());
            await AddOverflowAsync();
            await tab.Page.EmulateMediaAsync(new() { ColorScheme = ColorScheme.Dark });
            Add("dark", await tab.ViolationsAsync(ConsoleTab.ColourRules));
            await tab.Page.SetViewportSizeAsync(360, 800);
            Add("narrow", await tab.ViolationsAsync(ConsoleTab.WidthRules));
            await AddOverflowAsync();
            await tab.Page.SetViewportSizeAsync(1280, 800);
            await tab.Page.EmulateMediaAsync(new() { ColorScheme = ColorScheme.Light });

            void Add(string how, List<string> violations) => faults.AddRange(violations.Select(v => $"/{path}, {how}: {v}"));

            async Task AddOverflowAsync()
            {
                if (await tab.OverflowAsync() is > 0 and var overflow)
                    faults.Add($"/{path} is {overflow} pixels wider than {tab.Page.ViewportSize!.Width}");
            }
        }
    }

    [Fact]
    public async Task The_pages_for_those_who_are_not_signed_in_and_the_menu_of_a_narrow_screen_are_accessible()
    {
        await using var outside = await site.TabAsync(Window(ColorScheme.Dark, 360, 800), signedIn: false);
        await outside.GoAsync("tasks");
        (await outside.ViolationsAsync()).ShouldBeEmpty();
        (await outside.OverflowAsync()).ShouldBeLessThanOrEqualTo(0);

        await using var tab = await site.TabAsync(Window(ColorScheme.Light, 360, 800));
        await tab.GoAsync("");
        await Expect(tab.Page.Locator("#menu")).ToBeHiddenAsync();
        await tab.ButtonAsync("Menu");
        (await tab.ViolationsAsync()).ShouldBeEmpty();
        await tab.FollowAsync("Queues");
        await Expect(tab.Page.Locator("#menu")).ToBeHiddenAsync();
        tab.Errors.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_task_shows_its_life_and_every_digit_of_its_payload()
    {
        await using var tab = await site.TabAsync();
        await tab.GoAsync($"tasks/{site.Failed}");
        var payload = tab.Page.GetByRole(AriaRole.Region, new() { Name = "Payload" });
        await Expect(payload).ToContainTextAsync("9007199254740993123");
        await Expect(payload).ToContainTextAsync("12.50");
        await Expect(tab.Rows("Attempts")).ToHaveCountAsync(2);
        await Expect(tab.Page.Locator(".notice").First).ToContainTextAsync("550 mail.example.com");
        await Expect(tab.Page.GetByRole(AriaRole.Region, new() { Name = "Log lines" })).ToContainTextAsync("connecting to");
        await Expect(tab.Page.Locator(".commands code").First).ToHaveTextAsync($"taskqueue show {site.Failed}");

        await tab.ButtonAsync("Text");
        await Expect(payload.Locator("pre")).ToContainTextAsync("\"customer\": 9007199254740993123");
        await tab.Page.GetByRole(AriaRole.Link, new() { Name = "order:4711" }).ClickAsync();
        await Expect(tab.Page).ToHaveURLAsync(new Uri(site.Host.Http.BaseAddress!, "/console/tasks?tag=order%3A4711").ToString());
        await Expect(tab.Rows("Tasks")).ToHaveCountAsync(1);
    }

    [Fact]
    public async Task Tasks_are_found_by_what_is_typed_and_the_address_keeps_it()
    {
        await using var tab = await site.TabAsync();
        await tab.GoAsync("tasks");
        await tab.Page.Locator("#page-search").FillAsync("queue:images state:failed");
        await tab.Page.Keyboard.PressAsync("Enter");
        await Expect(tab.Rows("Tasks")).ToHaveCountAsync(2);
        await tab.Page.ReloadAsync();
        await Expect(tab.Rows("Tasks")).ToHaveCountAsync(2);
        await Expect(tab.Page.GetByRole(AriaRole.Button, new() { Name = "failed", Pressed = true })).ToBeVisibleAsync();
        await tab.Page.GoBackAsync();
        await Expect(tab.Rows("Tasks").Nth(2)).ToBeVisibleAsync();
        await tab.ButtonAsync("Filters");
        await tab.Page.GetByLabel("Name", new() { Exact = true }).FillAsync("print");
        (await tab.ViolationsAsync()).ShouldBeEmpty();
        await tab.ButtonAsync("Apply");
        await Expect(tab.Rows("Tasks")).ToHaveCountAsync(1);
        await tab.GoAsync("tasks?name=nothing-of-this-name");
        await Expect(tab.Page.GetByText("No task matches")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task It_can_be_used_with_the_keyboard()
    {
        await using var tab = await site.TabAsync();
        await tab.GoAsync("queues");
        await tab.Page.Keyboard.PressAsync("Tab");
        await Expect(tab.Page.GetByText("Skip to the content")).ToBeFocusedAsync();
        await tab.Page.Keyboard.PressAsync("Enter");
        await Expect(tab.Page.Locator("#content")).ToBeFocusedAsync();
        await tab.Page.Keyboard.PressAsync("/");
        await Expect(tab.Page.Locator("#page-search")).ToBeFocusedAsync();

        await tab.FollowAsync("Keys");
        await Expect(tab.Page.GetByRole(AriaRole.Heading, new() { Name = "Keys" })).ToBeFocusedAsync();
        var create = tab.Page.GetByRole(AriaRole.Button, new() { Name = "Create a key" });
        await create.PressAsync("Enter");
        await Expect(tab.Dialog).ToBeVisibleAsync();
        for (var i = 0; i < 20; i++)
            await tab.Page.Keyboard.PressAsync("Tab");
        (await tab.Page.EvaluateAsync<bool>("() => document.activeElement === document.body || !!document.activeElement.closest('dialog')"))
            .ShouldBeTrue("the focus stays in the dialog");
        (await tab.ViolationsAsync()).ShouldBeEmpty();
        await tab.Page.Keyboard.PressAsync("Escape");
        await Expect(create).ToBeFocusedAsync();
    }

    [Fact]
    public async Task Colours_are_chosen_and_kept()
    {
        await using var tab = await site.TabAsync(Window(ColorScheme.Light, 1280, 800));
        await tab.GoAsync("");
        var light = await BackgroundAsync();
        await tab.ButtonAsync("Dark");
        var dark = await BackgroundAsync();
        dark.ShouldNotBe(light);
        await tab.GoAsync("queues");
        (await BackgroundAsync()).ShouldBe(dark);
        await tab.ButtonAsync("As the system");
        (await BackgroundAsync()).ShouldBe(light);

        Task<string> BackgroundAsync() => tab.Page.EvaluateAsync<string>("() => getComputedStyle(document.body).backgroundColor");
    }

    [Fact]
    public async Task What_does_not_exist_says_so()
    {
        await using var tab = await site.TabAsync();
        foreach (var path in new[] { $"tasks/{Guid.NewGuid()}", "queues/missing", "schedules/mails/missing", "batches/missing" })
        {
            await tab.GoAsync(path);
            await Expect(tab.Page.GetByRole(AriaRole.Alert)).ToContainTextAsync("could not be loaded");
            (await tab.ViolationsAsync()).ShouldBeEmpty(path);
        }
    }

    private static BrowserNewContextOptions Window(ColorScheme colours, int width, int height) =>
        new() { ColorScheme = colours, ViewportSize = new ViewportSize { Width = width, Height = height } };

    /// <summary>The pages that the menu names, and one of each kind that a list leads to.</summary>
    private async Task<List<string>> PathsAsync(ConsoleTab tab)
    {
        await tab.GoAsync("");
        var menu = await tab.Page.EvaluateAsync<string[]>(
            "() => [...document.querySelectorAll('#menu li a')].map(a => a.getAttribute('href').replace('/console/', ''))");
        var group = (await site.CallAsync("GET", "/failures?queue=mails")).Json.GetProperty("groups").EnumerateArray()
            .Single(g => g.Text("error_type") == "Smtp.NoMailbox").Text("id");
        List<string> paths =
        [
            .. menu.Where(p => p != "callbacks"), $"callbacks?task={site.WithCallback}", $"tasks/{site.Failed}", "queues/mails",
            "schedules/mails/digest", $"batches/{site.Batch}", $"failures/{group}",
        ];
        paths.ConvertAll(Name).ShouldBe(Shown.Keys, ignoreOrder: true);
        return paths;
    }

    /// <summary>The name of a page's picture.</summary>
    private static string Name(string path) => path.Split('/', '?') switch
    {
        [""] => "overview",
        ["batches", _] => "batch",
        ["callbacks", ..] => "callbacks",
        [var list, _, ..] => list[..^1],
        [var list] => list,
        [] => path,
    };
}
