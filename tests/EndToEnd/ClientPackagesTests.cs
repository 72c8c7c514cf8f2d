using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// The packages for other languages: their own tests, also against a server, their programs, their types and the snippets of docs/.
/// </summary>
public sealed class ClientPackagesTests(SqliteStack stack) : IClassFixture<SqliteStack>
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    [Fact]
    public Task The_tests_of_the_Python_package_pass() =>
        PassesAsync("python3", "-m", "unittest", "discover", "-s", ClientPackage.Python("tests"), "-t", ClientPackage.Python());

    [Fact]
    public Task The_tests_of_the_JavaScript_package_pass() =>
        PassesAsync("node", "--test", ClientPackage.JavaScript("test", "client.test.mjs"),
            ClientPackage.JavaScript("test", "worker.test.mjs"));

    [Fact]
    public async Task The_JavaScript_is_what_its_type_declarations_say()
    {
        var modules = Path.Combine(Repository.Clients, "node_modules");
        await PassesAsync("node", Path.Combine(modules, "typescript", "bin", "tsc"), "--noEmit", "--allowJs", "--checkJs", "--strict",
            "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom,dom.iterable,dom.asynciterable", "--skipLibCheck",
            "--types", "node", "--typeRoots", Path.Combine(modules, "@types"), ClientPackage.JavaScript("test", "types.mts"),
            ClientPackage.JavaScript("examples", "program.mjs"), ClientPackage.JavaScript("examples", "worker.mjs"));
    }

    [Theory]
    [InlineData("python3", "python", "program.py")]
    [InlineData("node", "javascript", "program.mjs")]
    public async Task The_program_of_the_README_gets_its_greeting(string program, string folder, string file)
    {
        var path = Repository.FileAt("clients", folder, "examples", file);
        File.ReadAllText(Repository.FileAt("clients", folder, "README.md")).ShouldContain(File.ReadAllText(path));

        using var run = new Command(program, [path], Settings());
        (await run.WaitAsync(Patience)).ShouldBe(0, run.Output);
        run.Results.ShouldBe(["completed Hello, Ann"]);
    }

    [Theory]
    [InlineData("python", ".py", "python3 -m py_compile \"$@\"")]
    [InlineData("js", ".mjs", "for file; do node --check \"$file\" || exit; done")]
    public async Task Every_snippet_of_the_documentation_is_a_program(string language, string extension, string check)
    {
        var folder = Directory.CreateTempSubdirectory("taskqueue-snippets-").FullName;
        try
        {
            var files = new List<string>();
            foreach (var page in Directory.EnumerateFiles(Repository.FileAt("docs"), "*.md").Select(p => Path.GetFileName(p)).Order())
            {
                foreach (var code in Fences.Of(page, language))
                {
                    files.Add(Path.Combine(folder, $"{page}-{files.Count}{extension}"));
                    await File.WriteAllTextAsync(files[^1], code);
                }
            }

            files.Count.ShouldBeGreaterThan(1);
            await PassesAsync("bash", ["-c", check, "check", .. files]);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private async Task PassesAsync(string program, params string[] args)
    {
        using var run = new Command(program, args, Settings());
        (await run.WaitAsync(Patience)).ShouldBe(0, run.Output);
    }

    private Dictionary<string, string> Settings() =>
        new(ClientPackage.Environment) { ["TASKQUEUE_URL"] = stack.Http.BaseAddress!.ToString() };
}
