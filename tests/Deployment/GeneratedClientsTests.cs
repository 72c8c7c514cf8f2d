using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Runtime.Loader;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using NJsonSchema.CodeGeneration.CSharp;
using NSwag.CodeGeneration.CSharp;
using NSwag.CodeGeneration.OperationNameGenerators;
using Shouldly;
using TaskQueue.Tests.EndToEnd;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Deployment;

/// <summary>Clients that generators make of docs/openapi.json compile, read well and work.</summary>
public sealed partial class GeneratedClientsTests(SqliteStack stack) : IClassFixture<SqliteStack>, IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(3);
    private static readonly string Document = Repository.FileAt("docs", "openapi.json");

    /// <summary>What somebody writes on the generated client.</summary>
    private const string Program = """
        #nullable enable
        using System.Linq;
        using System.Net.Http;
        using System.Threading.Tasks;
        using Generated;

        public static class Program
        {
            public static async Task<string> RunAsync(HttpClient http, string queue)
            {
                var api = new TaskQueueApi(http);
                var made = await api.PutQueueAsync(queue, new QueueBody { Max_attempts = 3, Paused = true });
                var queued = await api.EnqueueTaskAsync(new TaskBody
                {
                    Action = "greet", Data = new { name = "Ann" }, Queue = queue, Max_attempts = 2,
                    Retry = new RetryBody { Intervals = [1, 2.5] },
                });
                var more = await api.EnqueueTasksAsync(new TasksBody { Tasks = [new TaskBody { Action = "greet", Queue = queue }] });
                var task = await api.GetTaskAsync(queued.Id.ToString());
                int attempts = task.Max_attempts;
                var queues = await api.ListQueuesAsync();
                var found = await api.ListTasksAsync(queue: queue, state: ["pending", "failed"], limit: 10);
                try
                {
                    await api.CreateV1BatchAsync(new BatchBody { Input_file_id = "file-none", Endpoint = "/v1/chat/completions" });
                    return "a batch of no file";
                }
                catch (ApiException<BatchError> refused) when (refused.StatusCode is 400 or 404)
                {
                    return $"{made.Max_attempts} {task.Id == queued.Id} {task.Status} {task.Name} {attempts} {more.Count} "
                        + $"{queues.Queues.Count(q => q.Name == queue && q.Paused)} {found.Tasks.Count}";
                }
            }
        }
        """;

    private readonly string _root = Directory.CreateTempSubdirectory("generated-").FullName;
    private readonly string _queue = $"q{Guid.NewGuid():N}";

    [Fact]
    public async Task F18_TypeScript_types_of_the_document_compile_strictly_and_a_program_on_them_works()
    {
        foreach (var name in new[] { "package.json", "package-lock.json" })
            File.Copy(Repository.FileAt("src", "Console", name), Path.Combine(_root, name));
        File.Copy(Repository.FileAt("tests", "Clients", "generated.ts"), Path.Combine(_root, "generated.ts"));
        await RunAsync("npm", "--prefix", _root, "ci", "--no-audit", "--no-fund", "--loglevel=error");
        await RunAsync("node", Module("openapi-typescript", "bin", "cli.js"), Document, "-o", Path.Combine(_root, "schema.d.ts"));

        string[] strict =
        [
            Module("typescript", "bin", "tsc"), "--strict", "--target", "es2022", "--module", "es2022", "--moduleResolution", "bundler",
            "--lib", "es2022,dom", Path.Combine(_root, "generated.ts"),
        ];
        await RunAsync("node", [.. strict, "--noEmit"]);

        await RunAsync("node", [.. strict, "--outDir", _root]);
        (await RunAsync("node", Path.Combine(_root, "generated.js"), stack.Http.BaseAddress!.ToString().TrimEnd('/'), _queue))
            .ShouldBe(["true pending greet 2 0"]);
    }

    [Fact]
    public async Task F18_A_client_that_NSwag_makes_of_the_document_compiles_reads_well_and_works()
    {
        var context = new AssemblyLoadContext(nameof(GeneratedClientsTests), isCollectible: true);
        try
        {
            var assembly = Compile(context, await GenerateAsync(), Program);
            ReadsWell([.. assembly.GetExportedTypes().Where(t => t.Namespace == "Generated")]);

            var run = assembly.GetType("Program")!.GetMethod("RunAsync")!;
            (await (Task<string>)run.Invoke(null, [stack.Http, _queue])!).ShouldBe("3 True pending greet 2 1 1 2");
        }
        finally
        {
            context.Unload();
        }
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private static void ReadsWell(List<Type> types)
    {
        var methods = types.Single(t => t.Name == "TaskQueueApi")
            .GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
            .Where(m => m.ReturnType.IsAssignableTo(typeof(Task))).ToLookup(m => m.Name);
        string[] expected =
        [
            "EnqueueTaskAsync", "EnqueueTasksAsync", "GetTaskAsync", "CancelTaskAsync", "ListTasksAsync", "ListQueuesAsync",
            "PutQueueAsync", "PauseQueueAsync", "ClaimTasksAsync", "ReportTasksAsync", "CreateKeyAsync", "CreateV1BatchAsync",
        ];
        expected.ShouldBeSubsetOf(methods.Select(m => m.Key));
        methods.Select(m => m.Key).ShouldAllBe(name => !NumberedMethod().IsMatch(name));
        types.Select(t => t.Name).ShouldAllBe(name => !NamelessType().IsMatch(name));

        // Only what must be given is required; numbers are numbers, in members and in parameters.
        var task = types.Single(t => t.Name == "TaskBody");
        task.GetProperties().Where(p => p.IsDefined(typeof(RequiredAttribute))).Select(p => p.Name).ShouldBe(["Action"]);
        TypeOf(task, "Max_attempts").ShouldBe(typeof(int?));
        TypeOf(task, "Scheduled_at").ShouldBe(typeof(DateTimeOffset?));
        TypeOf(types.Single(t => t.Name == "TaskDetails"), "Attempt").ShouldBe(typeof(int));
        TypeOf(types.Single(t => t.Name == "QueueCounts"), "Waiting").ShouldBe(typeof(long));
        TypeOf(types.Single(t => t.Name == "TaskDetails"), "Result").ShouldBe(typeof(object));
        types.Single(t => t.Name == "BatchBody").GetProperties().Select(p => p.Name)
            .ShouldBe(["Input_file_id", "Endpoint", "Completion_window", "Metadata", "Output_expires_after", "Deduplicate",
                "AdditionalProperties"]);
        ParametersOf(methods["CreateV1BatchAsync"])["body"].Name.ShouldBe("BatchBody");
        ParametersOf(methods["ListTasksAsync"])["limit"].ShouldBe(typeof(int?));
        ParametersOf(methods["ListTasksAsync"])["state"].ShouldBe(typeof(IEnumerable<string>));
    }

    private static Type TypeOf(Type type, string property) => type.GetProperty(property)!.PropertyType;

    private static Dictionary<string, Type> ParametersOf(IEnumerable<MethodInfo> methods) =>
        methods.ShouldHaveSingleItem().GetParameters().ToDictionary(p => p.Name!, p => p.ParameterType);

    private static async Task<string> GenerateAsync()
    {
        var settings = new CSharpClientGeneratorSettings
        {
            ClassName = "TaskQueueApi",
            UseBaseUrl = false,
            GenerateOptionalParameters = true,
            OperationNameGenerator = new SingleClientFromOperationIdOperationNameGenerator(),
            CSharpGeneratorSettings =
            {
                Namespace = "Generated", JsonLibrary = CSharpJsonLibrary.SystemTextJson, GenerateNullableReferenceTypes = true,
                GenerateOptionalPropertiesAsNullable = true,
            },
        };
        var document = await NSwag.OpenApiDocument.FromJsonAsync(await File.ReadAllTextAsync(Document));
        return new CSharpClientGenerator(document, settings).GenerateFile();
    }

    private static Assembly Compile(AssemblyLoadContext context, params string[] sources)
    {
        var references = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(path => Path.GetFileName(path).StartsWith("System.", StringComparison.Ordinal)
                || Path.GetFileName(path) is "netstandard.dll" or "mscorlib.dll")
            .Select(path => MetadataReference.CreateFromFile(path));
        var compilation = CSharpCompilation.Create("Generated", sources.Select(source => CSharpSyntaxTree.ParseText(source)), references,
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary));
        using var image = new MemoryStream();
        var compiled = compilation.Emit(image);
        compiled.Diagnostics.Where(d => d.Severity >= DiagnosticSeverity.Warning).ShouldBeEmpty();
        image.Position = 0;
        return context.LoadFromStream(image);
    }

    private static async Task<IReadOnlyList<string>> RunAsync(string program, params string[] args)
    {
        using var run = new Command(program, args,
            new Dictionary<string, string> { ["CI"] = "true", ["NODE_ENV"] = "", ["NO_COLOR"] = "1" });
        (await run.WaitAsync(Deadline)).ShouldBe(0, run.Output);
        return run.Results;
    }

    private string Module(params string[] path) => Path.Combine([_root, "node_modules", .. path]);

    [GeneratedRegex(@"\d(Async)?$|AsyncAsync$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex NumberedMethod();

    /// <summary>Names that generators give to what has none.</summary>
    [GeneratedRegex(@"[A-Za-z_]\d+$|^(Body|Response|Anonymous)$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex NamelessType();
}
