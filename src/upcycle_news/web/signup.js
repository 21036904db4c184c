// Sends the sign-up form on another site without leaving its page. Without this script, and wherever it does not
// get through, it is a plain form. What it says stands in the form's own attributes.
(() => {
  "use strict";
  const FORMS = "form[data-upcycle-news]";

  function say(form, text) {
    form.querySelector("[data-upcycle-news-status]").textContent = text;
  }

  async function send(form) {
    const button = form.querySelector("button[type=submit]");
    const address = form.elements.email;
    button.disabled = true;
    try {
      const answer = await fetch(form.action, {
        method: "POST",
        headers: { Accept: "application/json", "Upcycle-News-Form": "1" },
        body: new URLSearchParams(new FormData(form)),
        credentials: "omit",
        referrerPolicy: "no-referrer",
      });
      if (answer.status === 422) {
        address.setAttribute("aria-invalid", "true");
        say(form, form.dataset.wrong);
        address.focus();
      } else if (answer.status === 429) {
        say(form, form.dataset.later);
      } else if (answer.ok) {
        const { minutes } = await answer.json();
        const busy = minutes ? ` ${form.dataset.busy.replace("{minutes}", minutes)}` : "";
        address.removeAttribute("aria-invalid");
        form.reset();
        say(form, form.dataset.done + busy);
      } else {
        form.submit();
      }
    } catch {
      form.submit(); // this site is not named in the settings, or the network is away: the browser says so
    } finally {
      button.disabled = false;
    }
  }

  document.addEventListener("submit", (event) => {
    if (!event.target.matches(FORMS)) return;
    event.preventDefault();
    send(event.target);
  });
})();
