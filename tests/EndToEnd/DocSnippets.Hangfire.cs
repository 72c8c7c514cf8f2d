using Hangfire;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using TaskQueue.Client;

#pragma warning disable CA1822 // jobs and handlers are instances, as applications have them

namespace TaskQueue.Tests.EndToEnd;

/// <content>docs/coming-from-hangfire.md.</content>
internal static partial class DocSnippets
{
    /// <summary>docs/coming-from-hangfire.md.</summary>
    internal static class OfHangfire
    {
        internal static void Enqueue(IServiceCollection services)
        {
            services.AddTaskQueueHangfire(client: o => o.BaseAddress = new Uri("http://localhost:8080"));
        }

        internal static void Work(HostApplicationBuilder builder)
        {
            builder.Services.AddTaskQueueWorker(
                o =>
                {
                    o.Queues.Add("critical"); // most urgent first, as in BackgroundJobServerOptions.Queues
                    o.Queues.Add("default");
                    o.Concurrency = 20;       // WorkerCount
                    o.UseHangfireJobs(jobs => jobs.Allow<Mailer>().Allow<IReports>());
                },
                client => client.BaseAddress = new Uri("http://localhost:8080"));
        }

        public sealed class Shop(IBackgroundJobClient jobs, IRecurringJobManager recurring)
        {
            public void Sell(int order)
            {
                var sent = jobs.Enqueue<Mailer>(m => m.SendAsync(order, CancellationToken.None));
                jobs.ContinueJobWith<IReports>(sent, r => r.Book(order));
                jobs.Schedule<Mailer>(m => m.RemindAsync(order), TimeSpan.FromDays(7));
                recurring.AddOrUpdate<IReports>("daily-report", r => r.Daily(), Cron.Daily());
            }
        }

        public sealed class Mailer(TextWriter output)
        {
            public Task SendAsync(int order, CancellationToken cancellationToken) =>
                output.WriteLineAsync($"sent {order}".AsMemory(), cancellationToken);

            public Task RemindAsync(int order) => output.WriteLineAsync($"remember {order}");
        }

        public interface IReports
        {
            void Book(int order);

            void Daily();
        }
    }
}
